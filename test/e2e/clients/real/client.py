"""Sends GETs and POSTs through a connection pool of requests or httpx and prints what failed.

usage: client.py LIBRARY URL REQUESTS
"""

import sys
from concurrent.futures import ThreadPoolExecutor

WORKERS = 4


def open_session(library):
    """A session with a connection pool, and the keyword by which it takes a body."""
    if library == "requests":
        import requests

        return requests.Session(), "data"
    import httpx

    return httpx.Client(), "content"


def main():
    library, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    session, body = open_session(library)

    def send(number):
        expected = "x" * 1000 if number % 2 else "hello\n"
        try:
            if number % 2:
                response = session.post(url + "/echo", **{body: expected})
            else:
                response = session.get(url + "/")
            if response.status_code != 200 or response.text != expected:
                print("request %d: status %d" % (number, response.status_code))
        except Exception as error:
            print("request %d: %r" % (number, error))

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(send, range(count)))


main()

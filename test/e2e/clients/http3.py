"""An HTTP/3 client on one connection (aioquic).

usage: http3.py PORT CERTIFICATE SCRIPT     SCRIPT is a JSON list of steps, prints a JSON transcript

  ["request", count, path]   send requests at once and wait for all answers
  ["quiet", seconds]         do nothing for so long
  ["closed"]                 wait until the server ends the connection
"""

import asyncio
import json
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

TIMEOUT = 20


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.http = H3Connection(self._quic)
        self.answers = {}
        self.waiting = {}
        self.resets = []
        self.closed = asyncio.Event()
        self.error = None

    def request(self, path):
        stream_id = self._quic.get_next_available_stream_id()
        fields = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", path.encode()),
        ]
        self.http.send_headers(stream_id, fields, end_stream=True)
        self.answers[stream_id] = {"status": None, "size": 0, "ended": False}
        self.waiting[stream_id] = asyncio.get_event_loop().create_future()
        self.transmit()
        return self.waiting[stream_id]

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.error = event.error_code
            self.closed.set()
        if isinstance(event, StreamReset):
            self.resets.append(event.stream_id)
        for happened in self.http.handle_event(event):
            answer = self.answers.get(getattr(happened, "stream_id", None))
            if answer is None:
                continue
            if isinstance(happened, HeadersReceived) and answer["status"] is None:
                answer["status"] = int(dict(happened.headers)[b":status"])
            if isinstance(happened, DataReceived):
                answer["size"] += len(happened.data)
            if happened.stream_ended and not answer["ended"]:
                answer["ended"] = True
                self.waiting[happened.stream_id].set_result(None)


async def main():
    port, certificate, script = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
    configuration.server_name = "localhost"
    configuration.load_verify_locations(certificate)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client:
        for verb, *arguments in script:
            if verb == "request":
                count, path = arguments
                answers = [client.request(path) for _ in range(count)]
                await asyncio.wait_for(asyncio.gather(*answers), TIMEOUT)
            elif verb == "quiet":
                await asyncio.sleep(*arguments)
            elif verb == "closed":
                await asyncio.wait_for(client.closed.wait(), TIMEOUT)
            else:
                raise ValueError("unknown step: " + verb)
        ended_by_server = client.closed.is_set()
        transcript = {
            "streams": client.answers,
            "resets": client.resets,
            "connection": "ended" if ended_by_server else "open",
            "error": client.error,
        }
    json.dump(transcript, sys.stdout)


asyncio.run(main())

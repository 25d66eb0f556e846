"""A frame-level HTTP/2 client (RFC 9113) that follows a script and judges what the server sends.

usage: http2_frames.py PORT SCRIPT     SCRIPT is a JSON list of steps, prints a JSON transcript

  ["request", count, path]   open streams, one after the other, in one write
  ["ended", count]           read until so many streams have ended
  ["goaways", count]         read until so many GOAWAY frames have come
  ["headers", stream]        read until the stream's response headers have come
  ["reset", stream]          send RST_STREAM(CANCEL)
  ["pause", seconds]         stop reading
  ["quiet", seconds]         read for so long
  ["closed"]                 read until the server closes the connection

It stops at the first violation of the protocol, and tells it.
"""

import json
import socket
import sys
import time

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 65_535
TIMEOUT = 20
FORBIDDEN = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


class Violation(Exception):
    pass


class Stream:
    def __init__(self):
        self.headers = None
        self.size = 0
        self.window = WINDOW
        self.ended = False
        self.reset = None


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.buffer = b""
        self.streams = {}
        self.frames = []
        self.goaways = []
        self.window = WINDOW
        self.next_stream = 1
        self.closed = None
        self.block = None
        self.socket.sendall(PREFACE + SettingsFrame(0).serialize())

    def request(self, count, path):
        data = b""
        for _ in range(count):
            stream_id, self.next_stream = self.next_stream, self.next_stream + 2
            self.streams[stream_id] = Stream()
            fields = [
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "service"),
                (":path", path),
            ]
            flags = ["END_HEADERS", "END_STREAM"]
            data += HeadersFrame(stream_id, self.encoder.encode(fields), flags=flags).serialize()
        self.socket.sendall(data)

    def reset(self, stream_id):
        self.streams[stream_id].reset = "sent"
        self.socket.sendall(RstStreamFrame(stream_id, error_code=8).serialize())

    def read_until(self, done, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while not done() and self.closed is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65_536)
            except socket.timeout:
                return
            except ConnectionResetError:
                self.closed = "reset"
                return
            if not data:
                self.closed = "ended"
                if self.buffer or self.block:
                    raise Violation("the connection ended inside a frame")
                return
            self.buffer += data
            while self.take_frame():
                pass

    def take_frame(self):
        if len(self.buffer) < 9:
            return False
        frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
        if length > 16_384:
            raise Violation("a frame exceeds SETTINGS_MAX_FRAME_SIZE")
        if len(self.buffer) < 9 + length:
            return False
        frame.parse_body(memoryview(self.buffer[9 : 9 + length]))
        self.buffer = self.buffer[9 + length :]
        self.receive(frame)
        return True

    def receive(self, frame):
        if not self.frames and not isinstance(frame, SettingsFrame):
            raise Violation("the first frame is not SETTINGS")
        entry = {"type": type(frame).__name__.removesuffix("Frame"), "stream": frame.stream_id}
        if isinstance(frame, GoAwayFrame):
            entry.update(last=frame.last_stream_id, error=frame.error_code)
        self.frames.append(entry)
        if self.block and not isinstance(frame, ContinuationFrame):
            raise Violation("a header block is interrupted")
        if isinstance(frame, SettingsFrame):
            if "ACK" not in frame.flags:
                self.socket.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
        elif isinstance(frame, PingFrame):
            if "ACK" not in frame.flags:
                pong = PingFrame(0, frame.opaque_data, flags=["ACK"])
                self.socket.sendall(pong.serialize())
        elif isinstance(frame, GoAwayFrame):
            self.receive_goaway(frame)
        elif isinstance(frame, (HeadersFrame, ContinuationFrame)):
            self.receive_headers(frame)
        elif isinstance(frame, DataFrame):
            self.receive_data(frame)
        elif isinstance(frame, RstStreamFrame):
            stream = self.stream(frame)
            stream.reset = stream.reset or frame.error_code
            self.check_final_goaway(frame.stream_id)
        elif not isinstance(frame, WindowUpdateFrame):
            raise Violation("an unexpected frame: " + entry["type"])

    def receive_goaway(self, frame):
        if frame.stream_id != 0:
            raise Violation("GOAWAY on a stream")
        if frame.error_code != 0:
            raise Violation("GOAWAY with error %d" % frame.error_code)
        if self.goaways and frame.last_stream_id > self.goaways[-1]:
            raise Violation("GOAWAY raises the last stream id")
        self.goaways.append(frame.last_stream_id)

    def receive_headers(self, frame):
        stream = self.stream(frame)
        self.block = (self.block or b"") + frame.data
        if isinstance(frame, HeadersFrame):
            self.block_ends = "END_STREAM" in frame.flags
        if "END_HEADERS" not in frame.flags:
            return
        fields = self.decoder.decode(self.block)
        self.block = None
        if stream.headers is not None:
            raise Violation("a second header block on stream %d" % frame.stream_id)
        if fields[0][0] != ":status":
            raise Violation("a response does not begin with :status")
        named = FORBIDDEN.intersection(name for name, _ in fields)
        if named:
            raise Violation("a connection-specific field: " + ", ".join(named))
        stream.headers = dict(fields)
        if self.block_ends:
            self.end(stream)

    def receive_data(self, frame):
        stream = self.stream(frame)
        if stream.headers is None:
            raise Violation("DATA before HEADERS")
        length = frame.flow_controlled_length
        stream.size += len(frame.data)
        stream.window -= length
        self.window -= length
        if stream.window < 0 or self.window < 0:
            raise Violation("DATA exceeds the flow-control window")
        if "END_STREAM" in frame.flags:
            self.end(stream)
        update = b""
        if self.window < WINDOW // 2:
            update += WindowUpdateFrame(0, WINDOW - self.window).serialize()
            self.window = WINDOW
        if stream.window < WINDOW // 2 and not stream.ended:
            update += WindowUpdateFrame(frame.stream_id, WINDOW - stream.window).serialize()
            stream.window = WINDOW
        if update:
            self.socket.sendall(update)

    def stream(self, frame):
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            raise Violation("a frame on stream %d, which was never opened" % frame.stream_id)
        if stream.ended:
            raise Violation("a frame on stream %d, which has ended" % frame.stream_id)
        return stream

    def end(self, stream):
        stream.ended = True
        expected = stream.headers.get("content-length")
        if expected is not None and int(expected) != stream.size:
            raise Violation("%s bytes announced, %d received" % (expected, stream.size))

    def check_final_goaway(self, stream_id):
        """RFC 9113, section 6.8: streams up to the last stream id are processed."""
        stream = self.streams[stream_id]
        final = len(self.goaways) > 1
        if stream.reset != "sent" and not (final and stream_id > self.goaways[-1]):
            raise Violation("stream %d was reset by the server" % stream_id)

    def run(self, script):
        for step in script:
            verb, arguments = step[0], step[1:]
            if verb == "request":
                self.request(*arguments)
            elif verb == "reset":
                self.reset(*arguments)
            elif verb == "ended":
                self.read_until(lambda: self.ended() >= arguments[0])
            elif verb == "goaways":
                self.read_until(lambda: len(self.goaways) >= arguments[0])
            elif verb == "headers":
                self.read_until(lambda: self.streams[arguments[0]].headers is not None)
            elif verb == "pause":
                time.sleep(arguments[0])
            elif verb == "quiet":
                self.read_until(lambda: False, arguments[0])
            elif verb == "closed":
                self.read_until(lambda: False)
            else:
                raise ValueError("unknown step: " + verb)

    def ended(self):
        return sum(stream.ended for stream in self.streams.values())


def main():
    client = Client(int(sys.argv[1]))
    violation = None
    try:
        client.run(json.loads(sys.argv[2]))
    except Violation as error:
        violation = str(error)
    streams = {
        stream_id: {
            "status": stream.headers and int(stream.headers[":status"]),
            "size": stream.size,
            "ended": stream.ended,
        }
        for stream_id, stream in client.streams.items()
    }
    json.dump(
        {
            "violation": violation,
            "frames": client.frames,
            "goaways": client.goaways,
            "streams": streams,
            "connection": client.closed or "open",
        },
        sys.stdout,
    )


main()

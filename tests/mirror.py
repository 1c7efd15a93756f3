"""A server of one file on the loopback interface."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 2**16


class Mirror:
    """A server that can be told to fail.

    Attributes:
        content: what it serves.
        ranges: whether it can continue a download.
        breaks_after: bytes after which it closes the connection, or None.
        pause: seconds that it takes over each chunk.
        requests: the Range header of each request.
    """

    def __init__(self, content, ranges=True, breaks_after=None, pause=0.0):
        self.content, self.ranges, self.breaks_after = content, ranges, breaks_after
        self.requests = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get("Range")
                mirror.requests.append(asked)
                start = int(asked[6:-1]) if asked and mirror.ranges else 0
                body = mirror.content[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                body = body[: mirror.breaks_after]
                for begin in range(0, len(body), CHUNK):
                    self.wfile.write(body[begin : begin + CHUNK])
                    time.sleep(pause)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that is killed leaves a broken pipe, which is nobody's fault.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/file.tar"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

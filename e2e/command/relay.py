"""relay.py PORT: an HTTP proxy on a free loopback port, which it prints once PORT answers: whatever host is asked for, PORT is
asked, with the request as it came. Each connection carries one request."""

import re
import socket
import socketserver
import sys
import threading
import time

TARGET = ("127.0.0.1", int(sys.argv[1]))


def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)


class Relay(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(65536)
            if not data:
                return
            head += data
        # To a proxy the host stands in the first line too, which a server does not expect.
        head = re.sub(rb"^(\S+) http://[^/ ]+", rb"\1 ", head, count=1)
        head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection(TARGET) as target:
            target.sendall(head)
            threading.Thread(target=self.forward, args=(target,), daemon=True).start()
            pump(target, self.request)

    def forward(self, target):
        try:
            pump(self.request, target)
        except OSError:
            pass  # The answer is there, and nobody reads on.


def wait():
    while True:
        try:
            socket.create_connection(TARGET).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


wait()
with Server(("127.0.0.1", 0), Relay) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()

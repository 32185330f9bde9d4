"""Answers GetCallerIdentity on a free loopback port, which it prints: the ARN ends in the caller's key."""

import http.server
import re


class Sts(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = re.search(r"Credential=(\w+)/", self.headers.get("Authorization", ""))
        session = self.headers.get("X-Amz-Security-Token")
        arn = f"arn:aws:sts::111122223333:assumed-role/probe/{key[1] if key and session else 'nobody'}"
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>x</UserId><Account>111122223333</Account>"
            "</GetCallerIdentityResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sts)
print(server.server_port, flush=True)
server.serve_forever()

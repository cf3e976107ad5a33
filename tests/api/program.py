"""The real program on a folder of its own: started on free ports, filled with a small city, stopped at the end."""

import json
import os
import re
import subprocess
import tempfile
import urllib.request

PASSWORD = "a-demo-city-of-light"


class Program:
    """A `quickserve up` without rate limits, which the checks would meet before anything else."""

    def __init__(self):
        self.binary = os.environ["QS_TEST_PROGRAM"]
        self.folder = tempfile.TemporaryDirectory(prefix="quickserve-")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("QS_", "OTEL_"))}
        self.environment = inherited | {
            "QS_DATA_DIR": self.folder.name,
            "QS_LISTEN": "127.0.0.1:0",
            "QS_GRPC_LISTEN": "127.0.0.1:0",
            "QS_EDGE__CLIENT_PER_MINUTE": "0",
            "QS_EDGE__ACCOUNT_PER_MINUTE": "0",
            "QS_EDGE__ACCESS_LOG": "false",
        }

    def __enter__(self):
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(
            [self.binary, "up"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log, text=True,
        )
        for line in self.process.stdout:
            if found := re.search(r"ready at (http://\S+)", line):
                self.url = found[1]
            if line.startswith("  data "):
                return self
        self.process.wait()
        raise SystemExit(f"the program did not start:\n{self.said()}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.log.close()
            self.folder.cleanup()

    def said(self):
        """What it wrote to its log."""
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()

    def run(self, *arguments):
        """Runs another of its commands on the same folder, and returns what that printed."""
        command = [self.binary, *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def city(self, customers, providers):
        """Fills it with people and bookings, and returns an address of each kind of account."""
        amounts = ["--customers", str(customers), "--providers", str(providers)]
        told = self.run("seed-demo", "--url", self.url, *amounts)
        return dict(re.findall(r"^  (operator|customer|cleaner) +(\S+)$", told, re.MULTILINE))


class Client:
    """Speaks REST for one account, or for nobody."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def sign_in(self, email, password=PASSWORD):
        """A client for this account."""
        answer = self.post("/v1/auth/login", {"email": email, "password": password})
        return Client(self.url, answer["access_token"])

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body):
        return self.send("POST", path, body)

    def send(self, method, path, body=None):
        """The answer; whatever is no success is an exception."""
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from None

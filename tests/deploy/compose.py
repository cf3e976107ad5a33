"""Does for real what docs/install.md says: builds the image, starts compose.yaml with nothing configured, books an order,
scales, pauses and restarts replicas under load, restores a backup, and takes all down again.

    compose.py PROGRAM       a built `quickserve`, which the image takes as it is

Docker answers, and the images that compose.yaml names are there or can be pulled. The project and the ports are the test's
own, so that it touches no installation of the same machine.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/deploy"), str(ROOT / "tests/manifests")]

import check
from journey import City, ask

PROJECT = f"quickserve-test-{os.getpid()}"
SERVICES = ["user", "provider", "payment", "notification", "cleaning", "transport", "moving", "repair"]
SERVICES += ["child-assistance", "order"]
# What `up --wait` may take: half a minute on a calm machine, with the images there.
READY_WITHIN = 120


def run(*command, **more):
    done = subprocess.run([str(it) for it in command], cwd=ROOT, text=True, capture_output=True, **more)
    if done.returncode:
        raise SystemExit(f"FAILED: {' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-6000:]}")
    return done.stdout


def compose(*arguments, **more):
    return run("docker", "compose", "-p", PROJECT, *arguments, **more)


def say(text):
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def free_ports(count):
    """So many ports in a row that nothing listens on."""
    for first in range(18080, 19080, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise SystemExit("no ports are free")


def take_binary(program):
    folder = ROOT / "target/prebuilt"
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("strip"):
        run("strip", "-o", folder / "quickserve", program)
    else:
        shutil.copy(program, folder / "quickserve")


def containers(service):
    return compose("ps", "-q", service).split()


def inspect(container):
    return json.loads(run("docker", "inspect", container))[0]


def urls_of_edges():
    return [f"http://{compose('port', '--index', number, 'edge', 8080).strip()}" for number in range(1, 1 + len(containers("edge")))]


def check_confinement():
    """As 65532, without capabilities, on a read-only image, with no password in sight and none that one could guess."""
    for service in [*SERVICES, "edge"]:
        state = inspect(containers(service)[0])
        host = state["HostConfig"]
        assert state["Config"]["User"] == "65532:65532", service
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], service
        assert not any(re.search(r"://[^/]*:[^/]*@", it) for it in state["Config"]["Env"]), f"{service} shows a password"
    refused = subprocess.run(
        ["docker", "compose", "-p", PROJECT, "exec", "-T", "-e", "PGPASSWORD=quickserve", "postgres"]
        + ["psql", "-h", "postgres", "-U", "quickserve", "-c", "SELECT 1"],
        cwd=ROOT,
        capture_output=True,
    )
    assert refused.returncode, "PostgreSQL takes a password that one can guess"
    networks = inspect(containers("edge")[0])["NetworkSettings"]["Networks"]
    assert list(networks) == [f"{PROJECT}_mesh"], "the edge reaches the databases"


def check_image():
    labels = json.loads(run("docker", "image", "inspect", IMAGE))[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0", labels
    made = run("docker", "create", IMAGE).strip()
    with tempfile.TemporaryDirectory() as folder:
        run("docker", "cp", f"{made}:/usr/share/sbom/quickserve.cdx.json", f"{folder}/sbom.json")
        parts = json.loads(pathlib.Path(folder, "sbom.json").read_text())["components"]
    run("docker", "rm", made)
    names = {it["name"] for it in parts}
    assert {"tonic", "rustls", "libc6", "ca-certificates"} <= names, sorted(names)[:20]


def metrics():
    """What every process counts: services at their admin port within the network, the edge at its own."""
    for service in SERVICES:
        for container in containers(service):
            address = inspect(container)["NetworkSettings"]["Networks"][f"{PROJECT}_mesh"]["IPAddress"]
            yield ask("GET", f"http://{address}:9100/metrics").text
    yield ask("GET", f"{urls_of_edges()[0]}/metrics").text


def check_metrics():
    """What dashboards and rules name is counted somewhere: some of it only once it has happened, such as a timer that fires."""
    until = time.monotonic() + 60
    while True:
        try:
            return check.check_metrics(metrics())
        except SystemExit:
            if time.monotonic() > until:
                raise
        time.sleep(2)


class Load:
    """Reads of one customer at a steady rate, at either edge: a refused connection is tried at the other, as proxies do."""

    def __init__(self, city, urls):
        self.city, self.urls = city, urls
        self.answers, self.failures, self.ended = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(number,)) for number in range(4)]

    def send(self, number):
        while not self.ended.wait(0.1):
            path = ["/v1/me", "/v1/orders"][self.answers % 2]
            order = self.urls[number % 2 :] + self.urls[: number % 2]
            answer = self.once(order, path)
            self.answers += 1
            if answer != 200:
                self.failures.append((path, answer))

    def once(self, urls, path):
        for url in urls:
            try:
                return ask("GET", url + path, token=self.city.customer).status
            except OSError as error:
                answer = repr(error)
        return answer

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def check(self, what, most):
        """At most this share of the answers may be failures."""
        share = len(self.failures) / max(self.answers, 1)
        say(f"{what}: {len(self.failures)} of {self.answers} reads failed")
        assert self.answers > 20 and share <= most, self.failures[:5]


def wait_healthy(container):
    for _ in range(300):
        if inspect(container)["State"]["Health"]["Status"] == "healthy":
            return
        time.sleep(0.2)
    raise SystemExit(f"{container} does not become healthy\n{run('docker', 'logs', '--tail', 30, container)}")


def story(program):
    take_binary(program)
    compose("build", "-q")
    check_image()
    say("the image is built")
    began = time.monotonic()
    compose("up", "--wait", "--no-build")
    took = time.monotonic() - began
    say(f"`up --wait` took {took:.1f} s")
    assert took < READY_WITHIN, took
    check_confinement()

    seeded = compose("exec", "-T", "user", "/quickserve", "seed-demo", "--url", "http://edge:8080", "--customers", 1, "--providers", 2)
    city = City(urls_of_edges()[0], seeded)
    city.book_and_finish()
    say("an order went from its quote to its review")
    check_metrics()
    say("every metric of rules and dashboards is there")

    compose("up", "--wait", "--no-build", "--scale", "user=2", "--scale", "order=2", "--scale", "edge=2")
    urls = urls_of_edges()
    assert len(urls) == 2 and len(containers("user")) == 2
    say("two edges, two replicas of user and of order")
    frozen = containers("user")[0]
    with Load(city, urls) as load:
        time.sleep(2)
        run("docker", "pause", frozen)
        time.sleep(8)
        run("docker", "unpause", frozen)
    load.check("a frozen replica", 0.02)
    with Load(city, urls) as load:
        for container in [*containers("user"), *containers("order"), *containers("edge")]:
            run("docker", "restart", container)
            wait_healthy(container)
    load.check("six restarts", 0.01)
    city.book_and_finish()
    say("another order went to its end")

    drill = run("deploy/restore-drill", env={**os.environ, "COMPOSE": f"docker compose -p {PROJECT}"})
    assert re.search(r"^[1-9]\d* orders are in the copy$", drill, re.M) and "0 left" in drill, drill
    say("a dump was restored and reconciled: " + drill.splitlines()[-2])


def main(program):
    port = free_ports(2)
    os.environ.update(QS_BINARY="prebuilt", QS_VERSION=PROJECT, QS_PORT=f"{port}-{port + 1}")
    try:
        story(program)
    except BaseException:
        for service in [*SERVICES, "edge", "migrate", "postgres"]:
            logs = subprocess.run(
                ["docker", "compose", "-p", PROJECT, "logs", "--tail", "15", service], cwd=ROOT, capture_output=True, text=True
            )
            print(logs.stdout, file=sys.stderr)
        raise
    finally:
        down = ["docker", "compose", "-p", PROJECT, "--profile", "*", "down", "-v", "--remove-orphans", "-t", "20"]
        subprocess.run(down, cwd=ROOT, capture_output=True)
        subprocess.run(["docker", "image", "rm", "-f", IMAGE], capture_output=True)
    left = run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}")
    left += run("docker", "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}")
    assert not left, f"`down -v` left {left}"
    say("`down -v` leaves nothing")


IMAGE = f"quickserve:{PROJECT}"
BEGAN = time.monotonic()

if __name__ == "__main__":
    main(sys.argv[1])

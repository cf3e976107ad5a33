"""Lints the OpenAPI document, generates a client with each of four generators, type-checks them, and lets each one book
an order at the running program. Exits with 1 at the first thing that fails, after its output.
"""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request
import zoneinfo

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "api"))

from program import PASSWORD, Client, Program  # noqa: E402

GENERATED = HERE / "generated"
DOCUMENT = GENERATED / "openapi.json"
PYTHON = pathlib.Path(sys.executable)


def main():
    with Program() as program:
        shutil.rmtree(GENERATED, ignore_errors=True)
        GENERATED.mkdir()
        with urllib.request.urlopen(f"{program.url}/openapi.json", timeout=30) as answer:
            DOCUMENT.write_bytes(answer.read())
        lint()
        generate()
        type_check()
        people = book(program)
        read_calendar(program, people)
    return 0


def lint():
    run("redocly", "lint", DOCUMENT, "--max-problems", "20")
    run("spectral", "lint", "--ruleset", ".spectral.yaml", "--fail-severity", "warn", DOCUMENT)


def generate():
    run("openapi-typescript", DOCUMENT, "--output", GENERATED / "openapi-typescript.ts")
    run("openapi-ts", "--file", "openapi-ts.config.js", variables={"QS_TEST_DOCUMENT": str(DOCUMENT)})
    run(
        "openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none", "--fail-on-warning",
        "--output-path", GENERATED / "quickserve_client",
    )
    run(
        "datamodel-codegen", "--input", DOCUMENT, "--input-file-type", "openapi", "--target-python-version", "3.10",
        "--output-model-type", "pydantic_v2.BaseModel", "--use-annotated", "--formatters", "builtin",
        "--output", GENERATED / "datamodel.py",
    )


def type_check():
    run("tsc")
    run("mypy", "openapi_python_client.py", "datamodel_code_generator.py")


def book(program):
    """Books one order with each client, each on a day of its own with the same provider; returns the addresses of both."""
    emails = program.city(customers=1, providers=1)
    cleaner = Client(program.url).sign_in(emails["cleaner"])
    provider = cleaner.get("/v1/me/provider")["id"]
    commands = [
        ["node", "openapi-fetch.ts"],
        ["node", "hey-api.ts"],
        [str(PYTHON), "openapi_python_client.py"],
        [str(PYTHON), "datamodel_code_generator.py"],
    ]
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for days, command in enumerate(commands, start=2):
        start = now + datetime.timedelta(days=days)
        world = {
            "url": program.url,
            "email": emails["customer"],
            "password": PASSWORD,
            "provider_id": provider,
            "start": start.isoformat(),
            "end": (start + datetime.timedelta(hours=2.5)).isoformat(),
        }
        run(*command, variables={"QS_TEST_WORLD": json.dumps(world)})
    print(f"== {len(commands)} generated clients have booked an order each")
    return emails


def read_calendar(program, emails):
    """Two libraries that others keep read the customer's calendar: local times, a move and a cancellation."""
    customer, cleaner = (Client(program.url).sign_in(emails[who]) for who in ("customer", "cleaner"))
    path = customer.send("PUT", "/v1/me/calendarLink", {})["path"]
    compare_calendar(program, customer, path)
    booked = customer.get("/v1/orders?states=ORDER_STATE_REQUESTED")["orders"]
    order = max(booked, key=lambda order: (order.get("series_id", "") == "", order["window"]["start"]))
    cleaner.post(f"/v1/orders/{order['id']}:accept", {})
    window = {name: moment(order["window"][name]) + datetime.timedelta(days=1) for name in ("start", "end")}
    window = {name: at.isoformat() for name, at in window.items()}
    customer.post(f"/v1/orders/{order['id']}:reschedule", {"window": window})
    compare_calendar(program, customer, path)
    preview = customer.post(f"/v1/orders/{order['id']}:previewCancel", {})
    customer.post(f"/v1/orders/{order['id']}:cancel", {"cancel_token": preview["cancel_token"]})
    compare_calendar(program, customer, path)
    print("== two libraries have read the calendar")


def compare_calendar(program, customer, path):
    with urllib.request.urlopen(program.url + path, timeout=30) as answer:
        text = answer.read().decode()
    statuses = {"ORDER_STATE_REQUESTED": "TENTATIVE", "ORDER_STATE_SEARCHING": "TENTATIVE", "ORDER_STATE_CANCELLED": "CANCELLED"}
    expected = {}
    for order in customer.get("/v1/orders?page_size=100")["orders"]:
        start, end = (moment(order["window"][name]) for name in ("start", "end"))
        zone = zoneinfo.ZoneInfo(order["window"]["time_zone"])
        expected[f"{order['id']}@quickserve"] = {
            "start": start.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
            "end": end.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
            "utc": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": statuses.get(order["state"], "CONFIRMED"),
        }
    world = {"QS_TEST_WORLD": json.dumps({"text": text, "expected": expected})}
    run("node", "calendar.js", variables=world)
    run(str(PYTHON), "calendar_reader.py", variables=world)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)


def run(name, *arguments, variables={}):
    """Runs a program of this folder's packages, Node's or Python's, and shows what it printed when it fails."""
    path = os.pathsep.join([str(HERE / "node_modules/.bin"), str(PYTHON.parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "REDOCLY_TELEMETRY": "off"} | variables
    command = [shutil.which(name, path=path), *map(str, arguments)]
    print("==", name, *arguments[:1], flush=True)
    done = subprocess.run(
        command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout)
        sys.exit(f"== FAILED with {done.returncode}: {name} {' '.join(map(str, arguments))}")


if __name__ == "__main__":
    sys.exit(main())

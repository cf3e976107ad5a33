"""Checks the running system against its own OpenAPI document, from outside.

An independent validator reads the document; schemathesis then calls every operation, as a stranger and as an account of
each role, with what the document allows and with what it forbids. Exits with 1 when anything is not as documented.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import jsonschema
import openapi_spec_validator
import yaml

from program import Client, Program
from world import PASSWORD, World, account

HERE = pathlib.Path(__file__).parent
ROLES = ["stranger", "customer", "provider", "operator"]
SEED = os.environ.get("QS_TEST_SEED", "1")
# Of the phases that make up values, examples for each operation.
EXAMPLES = os.environ.get("QS_TEST_EXAMPLES", "5")
VERBS = ("get", "put", "post", "delete", "patch")


def main():
    with Program() as program:
        document = check_document(program.url)
        check_stream(program.url, document)
    operations = {item[verb]["operationId"] for item in document["paths"].values() for verb in VERBS if verb in item}
    # Each run has a system of its own, and as good as every machine has two processors.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda role: run(role, operations), ROLES))
    succeeded = {name for answers, _ in runs for name, codes in answers.items() if any(code < "300" for code in codes)}
    never = sorted(operations - succeeded)
    print(f"== {len(succeeded)} of {len(operations)} operations succeeded for somebody; never:", *never)
    faults = [f"{role}: {fault}" for role, (_, found) in zip(ROLES, runs) for fault in found]
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    return 1 if faults else 0


def fetch(url, accept="*/*", token=None):
    """What is there, as a stream."""
    headers = {"accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)


def check_document(url):
    """The document is valid OpenAPI 3.1, in JSON and in YAML, which are the same."""
    document = json.load(fetch(f"{url}/openapi.json"))
    openapi_spec_validator.OpenAPIV31SpecValidator(document).validate()
    assert yaml.safe_load(fetch(f"{url}/openapi.yaml")) == document, "JSON and YAML differ"
    print(f"== the document is valid OpenAPI {document['openapi']}: {len(document['paths'])} paths")
    return document


def check_stream(url, document):
    """The stream of the inbox begins as the document has it, in each of its forms."""
    person = account("reader")
    stranger = Client(url)
    stranger.post("/v1/users", person)
    token = stranger.sign_in(person["email"], PASSWORD).token
    content = document["paths"]["/v1/me/inbox"]["get"]["responses"]["200"]["content"]
    for media, described in content.items():
        with fetch(f"{url}/v1/me/inbox", media, token) as stream:
            assert stream.headers["content-type"] == media, stream.headers["content-type"]
            first = first_message(stream, media)
        schema = described["schema"]
        if media == "text/event-stream":
            # The message is the data of an event.
            schema = schema["properties"]["data"]["contentSchema"]
        schema = schema | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate([first] if media == "application/json" else first)
    try:
        fetch(f"{url}/v1/me/inbox", "text/event-stream")
        raise AssertionError("a stranger reads an inbox")
    except urllib.error.HTTPError as refused:
        assert (refused.code, refused.headers["content-type"]) == (401, "application/problem+json")
    print("== the stream of the inbox is as documented:", *content)


def first_message(stream, media):
    """The first message of a stream that goes on."""
    if media == "application/json":
        begun = b""
        while True:
            begun += stream.read(1)
            try:
                return json.loads(begun + b"]")[0]
            except (ValueError, IndexError):
                continue
    while True:
        line = stream.readline().decode()
        if media == "application/x-ndjson" and line.strip():
            return json.loads(line)
        if line.startswith("data:"):
            return json.loads(line.removeprefix("data:"))


# Streams that say nothing while there is nothing to tell, and do not end: the tests of their services read them.
SILENT = {"WatchOffers"}


def run(role, operations):
    """Lets schemathesis loose on a system, and returns how each operation answered, and what was wrong."""
    with Program() as program, tempfile.TemporaryDirectory() as folder:
        world = World(program)
        person = world.person(role)
        known = {
            "role": role,
            "url": program.url,
            "token": person.token if person else None,
            "ids": world.known(role),
            "victim": world.victim,
        }
        files = {name: os.path.join(folder, name) for name in ("world", "answers")}
        pathlib.Path(files["world"]).write_text(json.dumps(known))
        variables = {
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "QS_TEST_WORLD": files["world"],
            "QS_TEST_ANSWERS": files["answers"],
        }
        options = [
            "--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none", "--request-timeout", "20",
            "--continue-on-failure", "--warnings", "off", "--no-color",
            *(option for name in SILENT for option in ("--exclude-operation-id", name)),
        ]
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
        done = subprocess.run(
            [*command, f"{program.url}/openapi.json", *options], env=os.environ | variables, cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        print(f"== as {role}\n{done.stdout if done.returncode else summary(done.stdout)}", flush=True)
        answers = json.loads(pathlib.Path(files["answers"]).read_text())
        faults = ["it is not as documented"] if done.returncode else []
        if missed := operations - answers.keys() - SILENT:
            faults.append(f"never called: {sorted(missed)}")
        if person:
            # Else all that followed would have been refused, and nothing found.
            person.get("/v1/me")
        faults += [line for line in program.said().splitlines() if " ERROR " in line or "panicked" in line]
        return answers, faults


def summary(report):
    """The last lines of a report."""
    return report[report.find("Test Phases:"):]


if __name__ == "__main__":
    sys.exit(main())

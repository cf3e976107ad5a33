"""Lets `quickserve transcode check` compile the contracts that packages of npm and PyPI carry.

Every set must be accepted with as many routes as its rules say, counted here by other means. The sets of which that
cannot be are in known.json, with the reason that the program has to give.

`check.py PROGRAM`, from an environment with requirements.txt, next to a node_modules with package.json.
"""

import importlib
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
import tempfile

import opentelemetry.proto
import temporalio.api
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

HERE = pathlib.Path(__file__).parent
NODE = HERE / "node_modules"
PYTHON = pathlib.Path(annotations_pb2.__file__).parents[2]
GAX = NODE / "google-gax/build/protos"
# Title, folder, where to look for imports beside it.
TREES = [
    ("google-proto-files", NODE / "google-proto-files", []),
    ("envoy and xds", NODE / "@grpc/grpc-js-xds/deps", []),
    ("firestore", NODE / "@google-cloud/firestore/build/protos", [GAX]),
    ("kms", NODE / "@google-cloud/kms/build/protos", [GAX]),
    ("pubsub", NODE / "@google-cloud/pubsub/build/protos", [GAX]),
    ("translate", NODE / "@google-cloud/translate/build/protos", [GAX]),
    ("googleapis-common-protos", PYTHON, []),
]
DESCRIPTORS = [("opentelemetry", opentelemetry.proto), ("temporal", temporalio.api)]
OPTION = re.compile(r"option\s*\(\s*(?:google\.)?api\.http\s*\)\s*=\s*\{")
SHORT_OPTION = re.compile(r"option\s*\(\s*(?:google\.)?api\.http\s*\)\s*\.\s*(?:get|put|post|delete|patch)\s*=")
PATTERN = re.compile(r"\b(?:get|put|post|delete|patch)\s*:|\bcustom\s*:?\s*\{")
QUIET = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"", re.DOTALL)


def main():
    program = sys.argv[1]
    known = json.loads((HERE / "known.json").read_text())
    faults, sets, routes = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        expected = {}
        for name, package in DESCRIPTORS:
            expected[f"{name}.binpb"] = write_descriptors(folder / f"{name}.binpb", package)
        runs = [(title, tree, imports, lambda name, tree=tree: count_in_sources(tree / name))
                for title, tree, imports in TREES]
        runs.append(("descriptors", folder, [], expected.get))
        for title, tree, imports, count in runs:
            accepted, others = check(program, tree, imports)
            faults += compare(title, accepted, others, count, known.get(title, {}))
            sets, routes = sets + len(accepted), routes + sum(accepted.values())
            print(f"{title}: {len(accepted)} sets with {sum(accepted.values())} routes, {len(others)} not", flush=True)
    print(f"{sets} sets of contracts are accepted, with {routes} routes")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def check(program, tree, imports):
    """The sets that are accepted with their routes, and what is said of the others."""
    command = [program, "transcode", "check", str(tree), *(f"--import={folder}" for folder in imports)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if ran.stderr or not ran.stdout:
        sys.exit(f"{' '.join(command)}: {ran.stderr}")
    accepted, others, name = {}, {}, None
    for line in ran.stdout.splitlines()[:-1]:
        if line.startswith("  "):
            others[name] += "\n" + line.strip()
            continue
        verdict, rest = line.split(" ", 1)
        name, reason = rest.split(": ", 1)
        if verdict == "accepted":
            accepted[name] = int(reason.split()[0])
        else:
            others[name] = reason
    return accepted, others


def compare(title, accepted, others, count, known):
    for name, routes in accepted.items():
        if count(name) != routes:
            yield f"{title}: {name} has {count(name)} rules, and {routes} routes"
    for name, reason in others.items():
        if name not in known:
            yield f"{title}: {name} is not accepted: {reason}"
        elif known[name] not in reason:
            yield f"{title}: {name} is not accepted for another reason than known.json has: {reason}"
    for name in known.keys() - others.keys():
        yield f"{title}: {name} is accepted now; known.json need not name it"


def count_in_sources(folder):
    """The HTTP bindings in the .proto files of a folder, by their text."""
    total = 0
    for path in folder.glob("*.proto"):
        text = QUIET.sub(lambda found: '""' if found[0].startswith('"') else " ", path.read_text())
        total += len(SHORT_OPTION.findall(text))
        for option in OPTION.finditer(text):
            depth, end = 1, option.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            total += len(PATTERN.findall(text[option.end():end]))
    return total


def write_descriptors(path, package):
    """Writes the descriptors that a package's modules carry, with their imports; returns the number of HTTP bindings."""
    files, bindings = {}, 0

    def add(file):
        if file.name not in files:
            files[file.name] = file
            for imported in file.dependencies:
                add(imported)

    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith("_pb2"):
            add(importlib.import_module(module.name).DESCRIPTOR)
    found = descriptor_pb2.FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(found.file.add())
        for method in (method for service in file.services_by_name.values() for method in service.methods):
            options = method.GetOptions()
            if options.HasExtension(annotations_pb2.http):
                bindings += 1 + len(options.Extensions[annotations_pb2.http].additional_bindings)
    path.write_bytes(found.SerializeToString())
    return bindings


if __name__ == "__main__":
    sys.exit(main())

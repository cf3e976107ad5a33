"""Lets protovalidate judge the messages with which the Rust tests try our own validation, and reports where the two
disagree. `rules.py`, from an environment with requirements.txt.
"""

import json
import pathlib
import re
import sys
import tempfile
from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

CONTRACTS = pathlib.Path(__file__).parents[2] / "proto"
CASES = CONTRACTS / "tests/sample/cases.json"
# What the names of rules begin with that are our own, and which no option of `buf.validate` states.
OUR_RULES = "text."


def main():
    if sys.version_info < (3, 11):
        print("protovalidate needs Python 3.11: our validation is not compared with it")
        return 0
    pool = load_contracts()
    cases = json.loads(CASES.read_text())
    compared = [case for case in cases if not any(f": {OUR_RULES}" in rule for rule in case["broken"])]
    faults = 0
    for case in compared:
        ours, theirs = sorted(case["broken"]), sorted(judge(pool, case))
        # Keys that may be secret are not repeated by us.
        if any("[*]" in rule for rule in ours):
            theirs = [re.sub(r"\[[^]]*\]", "[*]", rule) for rule in theirs]
        if ours != theirs:
            faults += 1
            print(f"{case['message']} {case['value']}\n  ours   {ours}\n  theirs {theirs}", file=sys.stderr)
    print(f"{len(compared)} of {len(cases)} messages are judged by protovalidate, {faults} otherwise than by us")
    return 1 if faults else 0


def load_contracts():
    """The pool of this process, with the contract of the sample and what it imports."""
    with tempfile.TemporaryDirectory() as folder:
        descriptors = pathlib.Path(folder) / "sample.binpb"
        imports = [CONTRACTS, CONTRACTS / "tests/contract", resources.files("grpc_tools") / "_proto"]
        options = [*(f"-I{path}" for path in imports), "--include_imports", f"--descriptor_set_out={descriptors}"]
        if protoc.main(["protoc", *options, "sample/v1/sample.proto"]):
            sys.exit("the contract of the sample does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    pool = descriptor_pool.Default()
    for file in files:
        try:
            pool.FindFileByName(file.name)
        except KeyError:
            pool.AddSerializedFile(file.SerializeToString())
    return pool


def judge(pool, case):
    """What protovalidate finds in a message, as the table writes it."""
    import protovalidate

    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"sample.v1.{case['message']}"))
    message = json_format.ParseDict(case["value"], kind(), descriptor_pool=pool)
    for violation in protovalidate.collect_violations(message):
        # A text that is empty breaks the same rule under a name of its own there.
        yield f"{path_of(violation.proto)}: {violation.proto.rule_id.removesuffix('_empty')}"


def path_of(violation):
    names = []
    for element in violation.field.elements:
        key = element.subscript
        names.append(element.field_name if key is None else f"{element.field_name}[{json.dumps(key.value)}]")
    return ".".join(names)


if __name__ == "__main__":
    sys.exit(main())

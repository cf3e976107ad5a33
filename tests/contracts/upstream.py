"""Lets `quickserve transcode` serve an upstream of gRPC's C core that compresses what it sends.

`upstream.py PROGRAM`, from an environment with requirements.txt.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent import futures

import grpc
from google import longrunning
from google.longrunning import operations_pb2

from check import write_descriptors

# Names of these lengths: short ones C core sends as they are, when compressing would make them longer.
LENGTHS = [1, 100, 10_000, 1_000_000]
COMPRESSIONS = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


def main():
    program = sys.argv[1]
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        descriptors = pathlib.Path(folder) / "longrunning.binpb"
        write_descriptors(descriptors, longrunning)
        for name, compression in COMPRESSIONS.items():
            faults += [f"{name}: {fault}" for fault in try_server(program, descriptors, compression)]
    print(f"{len(COMPRESSIONS)} ways to compress are tried, with messages of {LENGTHS} characters")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def try_server(program, descriptors, compression):
    """The faults of answers that come from a server with this compression."""
    server = grpc.server(futures.ThreadPoolExecutor(2), compression=compression)
    server.add_generic_rpc_handlers([operations()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    command = [program, "transcode", "--descriptors", descriptors, "--listen", "127.0.0.1:0"]
    transcode = subprocess.Popen([*command, f"--upstream=http://127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True)
    try:
        said = transcode.stderr.readline()
        listening = re.search(r"address=(\S+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
        if not listening:
            return [f"it did not start: {said}"]
        return [fault for length in LENGTHS for fault in try_length(listening[1], length)]
    finally:
        transcode.terminate()
        transcode.wait()
        server.stop(None)


def operations():
    """Serves operations whose names are as long as is asked for."""
    get = grpc.unary_unary_rpc_method_handler(
        lambda request, _: operations_pb2.Operation(name="a" * int(request.name.rsplit("/", 1)[1])),
        operations_pb2.GetOperationRequest.FromString,
        operations_pb2.Operation.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("google.longrunning.Operations", {"GetOperation": get})


def try_length(address, length):
    try:
        with urllib.request.urlopen(f"http://{address}/v1/operations/{length}", timeout=20) as answer:
            name = json.load(answer)["name"]
    except urllib.error.HTTPError as error:
        return [f"{length}: {error.code} {error.read()}"]
    return [] if name == "a" * length else [f"{length}: the answer has {len(name)} characters"]


if __name__ == "__main__":
    sys.exit(main())

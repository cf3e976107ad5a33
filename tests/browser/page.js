// Runs in the browser: calls through the edge with the public client, by the contracts that the program itself tells.
import { createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { AnySchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

let registry;

/** Reads the contracts that the page's server has. */
async function contracts() {
  const answer = await fetch("/contracts");
  const files = fromBinary(FileDescriptorSetSchema, new Uint8Array(await answer.arrayBuffer()));
  registry ??= createFileRegistry(files);
  return registry;
}

/** What the client has to know of a method such as `quickserve.user.v1.AuthService/Login`. */
async function method(path) {
  const [service, name] = path.split("/");
  const { input, output, methodKind } = (await contracts()).getService(service).methods.find((it) => it.name === name);
  const kind = methodKind === "unary" ? MethodType.UNARY : MethodType.SERVER_STREAMING;
  const write = (message) => toBinary(input, message);
  const read = (bytes) => fromBinary(output, bytes);
  const known = new MethodDescriptor(`/${path}`, kind, Object, Object, write, read);
  return { known, request: (json) => fromJson(input, json), json: (message) => toJson(output, message) };
}

/** The length-delimited fields of a message whose contract is not at hand: contents by number. */
function fields(bytes) {
  const reader = new BinaryReader(bytes);
  const found = {};
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) (found[number] ??= []).push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}

/** A failure, with the reason in its details: a `google.rpc.Status`, which has a `google.rpc.ErrorInfo`. */
function failure({ code, message, metadata }) {
  const details = metadata["grpc-status-details-bin"];
  if (!details) return { code, message };
  const status = fields(Uint8Array.from(atob(details), (letter) => letter.charCodeAt(0)));
  const any = status[3].map((detail) => fromBinary(AnySchema, detail));
  const info = any.find((detail) => detail.typeUrl.endsWith("/google.rpc.ErrorInfo"));
  return { code, message, reason: new TextDecoder().decode(fields(info.value)[1][0]) };
}

window.call = async ({ edge, format, path, request, metadata = {} }) => {
  const { known, request: message, json } = await method(path);
  const client = new GrpcWebClientBase({ format });
  try {
    return { answer: json(await client.unaryCall(`${edge}/${path}`, message(request), metadata, known)) };
  } catch (error) {
    return { failed: failure(error) };
  }
};

/** The first messages of a stream, which is then left. */
window.watch = async ({ edge, format, path, request, metadata, count }) => {
  const { known, request: message, json } = await method(path);
  const stream = new GrpcWebClientBase({ format }).serverStreaming(`${edge}/${path}`, message(request), metadata, known);
  return new Promise((resolve) => {
    const messages = [];
    stream.on("error", (error) => resolve({ messages, failed: failure(error) }));
    stream.on("end", () => resolve({ messages, ended: true }));
    stream.on("data", (next) => {
      messages.push(json(next));
      if (messages.length < count) return;
      stream.cancel();
      resolve({ messages });
    });
  });
};

import { create, createRegistry, type DescFile, type MessageShape, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection, ServerReflectionResponseSchema } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import * as alpha from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

// Both versions of the service have the same messages under two names; an answer is what both are made of.
type Request =
  | Pick<MessageShape<typeof ServerReflection.method.serverReflectionInfo.input>, "messageRequest">
  | Pick<alpha.ServerReflectionRequest, "messageRequest">;
type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/**
 * Adds the standard reflection service, so that clients need no schema: v1 and its older name v1alpha.
 *
 * @param files the files that define the services; their imports come along
 */
export function addReflection(router: ConnectRouter, files: readonly DescFile[]): void {
  const all = withImports(files);
  const registry = createRegistry(...all);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answerTo(request, registry, all);
        yield create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse,
        });
      }
    },
  });
  router.service(alpha.ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answerTo(request, registry, all);
        yield create(alpha.ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse,
        });
      }
    },
  });
}

function answerTo(request: Request, registry: Registry, files: readonly DescFile[]): Answer {
  const { messageRequest } = request;
  switch (messageRequest.case) {
    case "listServices": {
      const service = files.flatMap((file) => file.services.map(({ typeName }) => ({ name: typeName })));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileAnswer(files.find(({ name }) => `${name}.proto` === messageRequest.value));
    case "fileContainingSymbol":
      return fileAnswer(fileOf(registry, messageRequest.value));
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return errorAnswer(Code.NotFound, "no extensions");
    case undefined:
      return errorAnswer(Code.InvalidArgument, "no request");
  }
}

function fileAnswer(file: DescFile | undefined): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, "not found");
  const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

// A symbol is a message, enum or service, or one of a service's methods or a message's fields.
function fileOf(registry: Registry, symbol: string): DescFile | undefined {
  const found = registry.get(symbol) ?? registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf("."))));
  return found?.file;
}

function withImports(files: readonly DescFile[]): readonly DescFile[] {
  const all = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (all.has(file)) return;
    all.add(file);
    file.dependencies.forEach(add);
  };
  files.forEach(add);
  return [...all];
}

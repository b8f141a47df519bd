// SPDX-License-Identifier: Apache-2.0
// status.h — how native answers: a number, >= 0 is a value and < 0 is -errno. Native never throws: an Error made here
// is not `instanceof Error` in another realm, and TypeScript knows better what was being done.
#pragma once

#include <cerrno>
#include <napi.h>
#include <string>

namespace waymark {

inline Napi::Value Status(const Napi::CallbackInfo &info, long status) {
  return Napi::Number::New(info.Env(), static_cast<double>(status));
}

inline int Int(const Napi::CallbackInfo &info, size_t index) { return info[index].As<Napi::Number>().Int32Value(); }

inline uint32_t Uint(const Napi::CallbackInfo &info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

inline std::string Text(const Napi::CallbackInfo &info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

// A caller's buffer; null where null or undefined was given.
struct Bytes {
  uint8_t *data = nullptr;
  size_t size = 0;
};

inline Bytes Buffer(const Napi::CallbackInfo &info, size_t index) {
  if (!info[index].IsTypedArray())
    return {};
  auto array = info[index].As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

}  // namespace waymark

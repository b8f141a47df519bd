// SPDX-License-Identifier: Apache-2.0
// feature.cc — what the running kernel can do, asked without changing anything: 1 yes, 0 no, -errno unknown.
#include "addon.h"
#include "compat.h"
#include "status.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

namespace waymark {
namespace {

constexpr int kLoopback = 1;

Napi::Value Program(const Napi::CallbackInfo &info) {
  return Status(info, libbpf_probe_bpf_prog_type(static_cast<enum bpf_prog_type>(Int(info, 0)), nullptr));
}

Napi::Value Map(const Napi::CallbackInfo &info) {
  return Status(info, libbpf_probe_bpf_map_type(static_cast<enum bpf_map_type>(Int(info, 0)), nullptr));
}

// (programType, helper)
Napi::Value Helper(const Napi::CallbackInfo &info) {
  return Status(info, libbpf_probe_bpf_helper(static_cast<enum bpf_prog_type>(Int(info, 0)),
                                              static_cast<enum bpf_func_id>(Int(info, 1)), nullptr));
}

// A query of what is attached to the loopback device, which every network namespace has.
Napi::Value Tcx(const Napi::CallbackInfo &info) {
  LIBBPF_OPTS(bpf_prog_query_opts, options);
  int status =
      bpf_prog_query_opts(kLoopback, static_cast<enum bpf_attach_type>(kTcxIngress), &options);
  return Status(info, status == 0 ? 1 : status == -EINVAL || status == -ENOTSUP ? 0 : status);
}

Napi::Value Batch(const Napi::CallbackInfo &info) {
  int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "wm_probe", 4, 4, 1, nullptr);
  if (fd < 0)
    return Status(info, fd);
  __u32 cursor = 0, key = 0, value = 0, count = 1;
  int status = bpf_map_lookup_batch(fd, nullptr, &cursor, &key, &value, &count, nullptr);
  close(fd);
  return Status(info, status == 0 || status == -ENOENT ? 1 : 0);
}

}  // namespace

void RegisterFeature(Napi::Env env, Napi::Object exports) {
  exports.Set("probeProgram", Napi::Function::New<Program>(env));
  exports.Set("probeMap", Napi::Function::New<Map>(env));
  exports.Set("probeHelper", Napi::Function::New<Helper>(env));
  exports.Set("probeTcx", Napi::Function::New<Tcx>(env));
  exports.Set("probeBatch", Napi::Function::New<Batch>(env));
}

}  // namespace waymark

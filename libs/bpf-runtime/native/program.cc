// SPDX-License-Identifier: Apache-2.0
// program.cc — running a program on a given packet (BPF_PROG_TEST_RUN).
#include "addon.h"
#include "status.h"

#include <bpf/bpf.h>
#include <cstring>
#include <unistd.h>

namespace waymark {
namespace {

// (fd, data, dataOut | null, ctx | null, ctxOut | null, repeat)
Napi::Value TestRun(const Napi::CallbackInfo &info) {
  Bytes in = Buffer(info, 1), out = Buffer(info, 2), ctx = Buffer(info, 3), ctx_out = Buffer(info, 4);
  LIBBPF_OPTS(bpf_test_run_opts, options);

  options.data_in = in.data;
  options.data_size_in = static_cast<__u32>(in.size);
  options.data_out = out.data;
  options.data_size_out = static_cast<__u32>(out.size);
  options.ctx_in = ctx.data;
  options.ctx_size_in = static_cast<__u32>(ctx.size);
  options.ctx_out = ctx_out.data;
  options.ctx_size_out = static_cast<__u32>(ctx_out.size);
  options.repeat = Int(info, 5);
  auto result = Napi::Object::New(info.Env());
  int status = bpf_prog_test_run_opts(Int(info, 0), &options);
  result.Set("status", status);
  result.Set("retval", options.retval);
  result.Set("durationNs", options.duration);
  result.Set("dataSize", options.data_size_out);
  result.Set("ctxSize", options.ctx_size_out);
  return result;
}

Napi::Value Info(const Napi::CallbackInfo &info) {
  struct bpf_prog_info program = {};
  __u32 length = sizeof(program);
  auto result = Napi::Object::New(info.Env());
  int status = bpf_obj_get_info_by_fd(Int(info, 0), &program, &length);
  result.Set("status", status);
  result.Set("id", program.id);
  result.Set("instructions", static_cast<double>(program.xlated_prog_len / 8));
  result.Set("runCount", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(program.run_cnt)));
  result.Set("runTimeNs", Napi::BigInt::New(info.Env(), static_cast<uint64_t>(program.run_time_ns)));
  return result;
}

// (id) -> { status, name }: of any program of this kernel, cut at 15 characters
Napi::Value Name(const Napi::CallbackInfo &info) {
  struct bpf_prog_info program = {};
  __u32 length = sizeof(program);
  auto result = Napi::Object::New(info.Env());
  int fd = bpf_prog_get_fd_by_id(Uint(info, 0));
  int status = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &program, &length);
  if (fd >= 0)
    close(fd);
  result.Set("status", status);
  result.Set("name", std::string(program.name, strnlen(program.name, sizeof(program.name))));
  return result;
}

}  // namespace

void RegisterProgram(Napi::Env env, Napi::Object exports) {
  exports.Set("programTestRun", Napi::Function::New<TestRun>(env));
  exports.Set("programInfo", Napi::Function::New<Info>(env));
  exports.Set("programName", Napi::Function::New<Name>(env));
}

}  // namespace waymark

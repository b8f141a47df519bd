// SPDX-License-Identifier: Apache-2.0
// link.cc — TCX and XDP: attachments that are descriptors, so that the kernel detaches them when the process dies.
#include "addon.h"
#include "status.h"
#include "tc.h"

#include <bpf/bpf.h>
#include <unistd.h>

namespace waymark {

Link::~Link() {
  if (parent)
    RemoveOwnFilter(*this);
  if (fd >= 0)
    close(fd);
}

namespace {

// (programFd, ifindex, attachType, flags)
Napi::Value Create(const Napi::CallbackInfo &info) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = Uint(info, 3));
  int fd = bpf_link_create(Int(info, 0), Int(info, 1), static_cast<enum bpf_attach_type>(Int(info, 2)), &options);
  if (fd < 0)
    return Status(info, fd);
  auto &addon = Addon::Of(info);
  uint32_t id = addon.next++;
  addon.links[id] = std::make_unique<Link>();
  addon.links[id]->fd = fd;
  return Status(info, id);
}

Napi::Value Close(const Napi::CallbackInfo &info) {
  return Status(info, Addon::Of(info).links.erase(Uint(info, 0)) ? 0 : -EBADF);
}

// (ifindex, attachType, ids) -> programs attached, in their order
Napi::Value Query(const Napi::CallbackInfo &info) {
  LIBBPF_OPTS(bpf_prog_query_opts, options);
  Bytes ids = Buffer(info, 2);
  options.prog_ids = reinterpret_cast<__u32 *>(ids.data);
  options.prog_cnt = static_cast<__u32>(ids.size / sizeof(__u32));
  int status = bpf_prog_query_opts(Int(info, 0), static_cast<enum bpf_attach_type>(Int(info, 1)), &options);
  return Status(info, status ? status : static_cast<long>(options.prog_cnt));
}

}  // namespace

void RegisterLink(Napi::Env env, Napi::Object exports) {
  exports.Set("linkCreate", Napi::Function::New<Create>(env));
  exports.Set("linkQuery", Napi::Function::New<Query>(env));
  exports.Set("linkClose", Napi::Function::New<Close>(env));
}

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
// ringbuf.cc — ring buffers, drained into a buffer of the caller: records of one size, one behind the other.
#include "ringbuf.h"

#include "addon.h"
#include "status.h"

#include <bpf/libbpf.h>
#include <cstring>

namespace waymark {

Ring::~Ring() { ring_buffer__free(ring); }

namespace {

// libbpf consumes a record even when this answers < 0. So copy first, and stop while one more record would not fit.
int Sample(void *context, void *data, size_t size) {
  auto *ring = static_cast<Ring *>(context);

  if (size != ring->record) {
    ring->malformed++;
    return 0;
  }
  memcpy(ring->out + ring->used, data, size);
  ring->used += static_cast<uint32_t>(size);
  ring->records++;
  return ring->room - ring->used < ring->record ? -ECANCELED : 0;
}

// (mapFd, recordBytes) -> ring
Napi::Value Open(const Napi::CallbackInfo &info) {
  auto entry = std::make_unique<Ring>();
  entry->record = Uint(info, 1);
  entry->ring = ring_buffer__new(Int(info, 0), Sample, entry.get(), nullptr);
  if (!entry->ring)
    return Status(info, -errno);
  auto &addon = Addon::Of(info);
  uint32_t id = addon.next++;
  addon.rings[id] = std::move(entry);
  return Status(info, id);
}

Ring *Find(const Napi::CallbackInfo &info) {
  auto &rings = Addon::Of(info).rings;
  auto found = rings.find(Uint(info, 0));
  return found == rings.end() ? nullptr : found->second.get();
}

Napi::Value Epoll(const Napi::CallbackInfo &info) {
  Ring *ring = Find(info);
  return Status(info, ring ? ring_buffer__epoll_fd(ring->ring) : -EBADF);
}

// (ring, buffer, malformed[1]) -> records copied
Napi::Value Consume(const Napi::CallbackInfo &info) {
  Ring *ring = Find(info);
  Bytes out = Buffer(info, 1), malformed = Buffer(info, 2);
  if (!ring)
    return Status(info, -EBADF);
  if (out.size < ring->record)
    return Status(info, -ENOSPC);
  ring->out = out.data;
  ring->room = static_cast<uint32_t>(out.size);
  ring->used = ring->records = ring->malformed = 0;
  int status = ring_buffer__consume(ring->ring);
  ring->out = nullptr;
  memcpy(malformed.data, &ring->malformed, sizeof(ring->malformed));
  return Status(info, status < 0 && status != -ECANCELED ? status : static_cast<long>(ring->records));
}

Napi::Value Close(const Napi::CallbackInfo &info) {
  return Status(info, Addon::Of(info).rings.erase(Uint(info, 0)) ? 0 : -EBADF);
}

}  // namespace

void RegisterRing(Napi::Env env, Napi::Object exports) {
  exports.Set("ringOpen", Napi::Function::New<Open>(env));
  exports.Set("ringEpollFd", Napi::Function::New<Epoll>(env));
  exports.Set("ringConsume", Napi::Function::New<Consume>(env));
  exports.Set("ringClose", Napi::Function::New<Close>(env));
}

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
// map.cc — maps by descriptor: one element, batches, description.
#include "addon.h"
#include "status.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

namespace waymark {
namespace {

Napi::Value Lookup(const Napi::CallbackInfo &info) {
  return Status(info, bpf_map_lookup_elem(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data));
}

Napi::Value LookupAndDelete(const Napi::CallbackInfo &info) {
  return Status(info, bpf_map_lookup_and_delete_elem(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data));
}

Napi::Value Update(const Napi::CallbackInfo &info) {
  return Status(info, bpf_map_update_elem(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data, Uint(info, 3)));
}

Napi::Value Delete(const Napi::CallbackInfo &info) {
  return Status(info, bpf_map_delete_elem(Int(info, 0), Buffer(info, 1).data));
}

Napi::Value NextKey(const Napi::CallbackInfo &info) {
  return Status(info, bpf_map_get_next_key(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data));
}

using Batch = int (*)(int, void *, void *, void *, void *, __u32 *, const struct bpf_map_batch_opts *);

// (fd, inBatch | null, outBatch, keys, values, count[1]): count in and out; the kernel sets it with ENOENT as well.
template <Batch batch>
Napi::Value RunBatch(const Napi::CallbackInfo &info) {
  auto *count = reinterpret_cast<__u32 *>(Buffer(info, 5).data);
  return Status(info, batch(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data, Buffer(info, 3).data,
                            Buffer(info, 4).data, count, nullptr));
}

// (fd, keys, values, count)
Napi::Value UpdateBatch(const Napi::CallbackInfo &info) {
  __u32 count = Uint(info, 3);
  return Status(info, bpf_map_update_batch(Int(info, 0), Buffer(info, 1).data, Buffer(info, 2).data, &count, nullptr));
}

Napi::Value CloseDescriptor(const Napi::CallbackInfo &info) {
  int fd = Int(info, 0);
  if (!Addon::Of(info).descriptors.erase(fd))
    return Status(info, -EBADF);
  close(fd);
  return Status(info, 0);
}

Napi::Value Info(const Napi::CallbackInfo &info) {
  struct bpf_map_info map = {};
  __u32 length = sizeof(map);
  auto result = Napi::Object::New(info.Env());
  int status = bpf_obj_get_info_by_fd(Int(info, 0), &map, &length);
  result.Set("status", status);
  result.Set("id", map.id);
  result.Set("type", map.type);
  result.Set("keySize", map.key_size);
  result.Set("valueSize", map.value_size);
  result.Set("maxEntries", map.max_entries);
  return result;
}

Napi::Value PossibleCpus(const Napi::CallbackInfo &info) { return Status(info, libbpf_num_possible_cpus()); }

}  // namespace

void RegisterMap(Napi::Env env, Napi::Object exports) {
  exports.Set("mapLookup", Napi::Function::New<Lookup>(env));
  exports.Set("mapLookupAndDelete", Napi::Function::New<LookupAndDelete>(env));
  exports.Set("mapUpdate", Napi::Function::New<Update>(env));
  exports.Set("mapDelete", Napi::Function::New<Delete>(env));
  exports.Set("mapNextKey", Napi::Function::New<NextKey>(env));
  exports.Set("mapLookupBatch", Napi::Function::New<RunBatch<bpf_map_lookup_batch>>(env));
  exports.Set("mapDrainBatch", Napi::Function::New<RunBatch<bpf_map_lookup_and_delete_batch>>(env));
  exports.Set("mapUpdateBatch", Napi::Function::New<UpdateBatch>(env));
  exports.Set("mapInfo", Napi::Function::New<Info>(env));
  exports.Set("closeFd", Napi::Function::New<CloseDescriptor>(env));
  exports.Set("possibleCpus", Napi::Function::New<PossibleCpus>(env));
}

}  // namespace waymark

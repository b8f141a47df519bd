// SPDX-License-Identifier: Apache-2.0
// object.cc — BPF object files: open, configure, load, close; names to descriptors; global variables.
#include "object.h"

#include "addon.h"
#include "status.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>

namespace waymark {

Object::~Object() {
  for (auto &[name, section] : sections)
    munmap(section.memory, section.size);
  bpf_object__close(object);
}

namespace {

// libbpf has one print callback for the whole process; each thread's calls collect into their own log.
thread_local std::string *current_log = nullptr;

int Collect(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (!current_log || level == LIBBPF_DEBUG)
    return 0;
  va_list copy;
  va_copy(copy, arguments);
  int length = vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  if (length <= 0)
    return 0;
  size_t before = current_log->size();
  current_log->resize(before + static_cast<size_t>(length) + 1);
  vsnprintf(current_log->data() + before, static_cast<size_t>(length) + 1, format, arguments);
  current_log->resize(before + static_cast<size_t>(length));
  return 0;
}

class Capture {
 public:
  explicit Capture(std::string *log) { current_log = log; }
  ~Capture() { current_log = nullptr; }
};

Napi::Value WithLog(const Napi::CallbackInfo &info, long status, const std::string &log) {
  auto result = Napi::Object::New(info.Env());
  result.Set("status", static_cast<double>(status));
  result.Set("log", log);
  return result;
}

Object *Find(const Napi::CallbackInfo &info) {
  auto &objects = Addon::Of(info).objects;
  auto found = objects.find(Uint(info, 0));
  return found == objects.end() ? nullptr : found->second.get();
}

// A ring buffer's value type says what its records are; the kernel wants its size to be 0.
int ClearRingValueSizes(bpf_object *object) {
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
      continue;
    int status = bpf_map__set_value_size(map, 0);
    if (status)
      return status;
  }
  return 0;
}

// libbpf forgets inner maps when it has loaded the outer one.
void RememberInnerTypes(Object *entry) {
  struct bpf_map *map;
  bpf_object__for_each_map(map, entry->object) {
    struct bpf_map *inner = bpf_map__inner_map(map);
    if (inner)
      entry->inner[bpf_map__name(map)] = {bpf_map__btf_key_type_id(inner), bpf_map__btf_value_type_id(inner)};
  }
}

Napi::Value Open(const Napi::CallbackInfo &info) {
  std::string log, path = Text(info, 0);
  auto entry = std::make_unique<Object>();
  {
    Capture capture(&log);
    entry->object = bpf_object__open_file(path.c_str(), nullptr);
    if (!entry->object)
      return WithLog(info, -errno, log);
    int status = ClearRingValueSizes(entry->object);
    if (status)
      return WithLog(info, status, log);
    RememberInnerTypes(entry.get());
  }
  auto &addon = Addon::Of(info);
  uint32_t id = addon.next++;
  addon.objects[id] = std::move(entry);
  return WithLog(info, id, log);
}

Napi::Value Load(const Napi::CallbackInfo &info) {
  Object *entry = Find(info);
  std::string log;
  if (!entry || entry->loaded)
    return WithLog(info, -EBADF, log);
  int status;
  {
    Capture capture(&log);
    status = bpf_object__load(entry->object);
  }
  entry->loaded = !status;
  return WithLog(info, status, log);
}

Napi::Value Close(const Napi::CallbackInfo &info) {
  return Status(info, Addon::Of(info).objects.erase(Uint(info, 0)) ? 0 : -EBADF);
}

Napi::Value MapFd(const Napi::CallbackInfo &info) {
  Object *entry = Find(info);
  return Status(info, entry ? bpf_object__find_map_fd_by_name(entry->object, Text(info, 1).c_str()) : -EBADF);
}

// (object, outer map, type, name, keySize, valueSize, maxEntries, flags): a map like the outer one's inner map.
Napi::Value CreateInner(const Napi::CallbackInfo &info) {
  Object *entry = Find(info);
  if (!entry)
    return Status(info, -EBADF);
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = Uint(info, 7));
  auto types = entry->inner.find(Text(info, 1));
  int btf = bpf_object__btf_fd(entry->object);
  if (types != entry->inner.end() && btf >= 0) {
    options.btf_fd = static_cast<__u32>(btf);
    options.btf_key_type_id = types->second.key;
    options.btf_value_type_id = types->second.value;
  }
  int fd = bpf_map_create(static_cast<enum bpf_map_type>(Int(info, 2)), Text(info, 3).c_str(), Uint(info, 4),
                          Uint(info, 5), Uint(info, 6), &options);
  if (fd >= 0)
    Addon::Of(info).descriptors.insert(fd);
  return Status(info, fd);
}

Napi::Value SetMaxEntries(const Napi::CallbackInfo &info) {
  Object *entry = Find(info);
  if (!entry)
    return Status(info, -EBADF);
  struct bpf_map *map = bpf_object__find_map_by_name(entry->object, Text(info, 1).c_str());
  return Status(info, map ? bpf_map__set_max_entries(map, Uint(info, 2)) : -ENOENT);
}

struct bpf_program *FindProgram(const Napi::CallbackInfo &info) {
  Object *entry = Find(info);
  return entry ? bpf_object__find_program_by_name(entry->object, Text(info, 1).c_str()) : nullptr;
}

Napi::Value ProgramFd(const Napi::CallbackInfo &info) {
  struct bpf_program *program = FindProgram(info);
  return Status(info, program ? bpf_program__fd(program) : -ENOENT);
}

Napi::Value SetAutoload(const Napi::CallbackInfo &info) {
  struct bpf_program *program = FindProgram(info);
  if (!program)
    return Status(info, -ENOENT);
  return Status(info, bpf_program__set_autoload(program, info[2].As<Napi::Boolean>().Value()));
}

// Before load: libbpf's image of the section, which becomes the map's first value.
Section Image(struct bpf_map *map) {
  size_t size = 0;
  void *memory = const_cast<void *>(bpf_map__initial_value(map, &size));
  return {static_cast<uint8_t *>(memory), size};
}

// After load: the map itself. libbpf maps it for skeletons only.
Section Live(Object *entry, const std::string &name, struct bpf_map *map) {
  auto known = entry->sections.find(name);
  if (known != entry->sections.end())
    return known->second;
  size_t size = bpf_map__value_size(map);
  int protection = name.starts_with(".rodata") ? PROT_READ : PROT_READ | PROT_WRITE;
  void *memory = mmap(nullptr, size, protection, MAP_SHARED, bpf_map__fd(map), 0);
  if (memory == MAP_FAILED)
    return {};
  return entry->sections[name] = {static_cast<uint8_t *>(memory), size};
}

// Where `length` octets at `offset` of a section are: (object, section, offset, buffer).
uint8_t *Locate(const Napi::CallbackInfo &info, size_t length, long *status) {
  Object *entry = Find(info);
  std::string name = Text(info, 1);
  size_t offset = Uint(info, 2);
  if (!entry) {
    *status = -EBADF;
    return nullptr;
  }
  struct bpf_map *map = bpf_object__find_map_by_name(entry->object, name.c_str());
  Section section;
  errno = ENOENT;
  if (map)
    section = entry->loaded ? Live(entry, name, map) : Image(map);
  *status = !section.memory ? -errno : offset > section.size || length > section.size - offset ? -ERANGE : 0;
  return *status ? nullptr : section.memory + offset;
}

bool Aligned(const uint8_t *memory) { return reinterpret_cast<uintptr_t>(memory) % 8 == 0; }

// A single word is read and written whole: a program may be changing it.
Napi::Value ReadSection(const Napi::CallbackInfo &info) {
  Bytes out = Buffer(info, 3);
  long status;
  uint8_t *memory = Locate(info, out.size, &status);
  if (!memory)
    return Status(info, status);
  if (out.size == 8 && Aligned(memory)) {
    uint64_t word = __atomic_load_n(reinterpret_cast<uint64_t *>(memory), __ATOMIC_ACQUIRE);
    memcpy(out.data, &word, sizeof(word));
  } else {
    memcpy(out.data, memory, out.size);
  }
  return Status(info, 0);
}

Napi::Value WriteSection(const Napi::CallbackInfo &info) {
  Bytes in = Buffer(info, 3);
  Object *entry = Find(info);
  long status;
  if (entry && entry->loaded && Text(info, 1).starts_with(".rodata"))
    return Status(info, -EPERM);
  uint8_t *memory = Locate(info, in.size, &status);
  if (!memory)
    return Status(info, status);
  if (in.size == 8 && Aligned(memory)) {
    uint64_t word;
    memcpy(&word, in.data, sizeof(word));
    __atomic_store_n(reinterpret_cast<uint64_t *>(memory), word, __ATOMIC_RELEASE);
  } else {
    memcpy(memory, in.data, in.size);
  }
  return Status(info, 0);
}

}  // namespace

void CaptureLibbpfLog() { libbpf_set_print(Collect); }

void RegisterObject(Napi::Env env, Napi::Object exports) {
  exports.Set("objectOpen", Napi::Function::New<Open>(env));
  exports.Set("objectLoad", Napi::Function::New<Load>(env));
  exports.Set("objectClose", Napi::Function::New<Close>(env));
  exports.Set("objectMapFd", Napi::Function::New<MapFd>(env));
  exports.Set("objectCreateInner", Napi::Function::New<CreateInner>(env));
  exports.Set("objectSetMaxEntries", Napi::Function::New<SetMaxEntries>(env));
  exports.Set("objectProgramFd", Napi::Function::New<ProgramFd>(env));
  exports.Set("objectSetAutoload", Napi::Function::New<SetAutoload>(env));
  exports.Set("sectionRead", Napi::Function::New<ReadSection>(env));
  exports.Set("sectionWrite", Napi::Function::New<WriteSection>(env));
}

}  // namespace waymark

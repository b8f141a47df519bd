// SPDX-License-Identifier: Apache-2.0
// addon.h — what one environment (main thread or worker) owns. Everything is closed when it ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <napi.h>
#include <set>
#include <string>

struct bpf_object;

namespace waymark {

// A data section of a loaded object, shared with its programs (mmap).
struct Section {
  uint8_t *memory = nullptr;
  size_t size = 0;
};

// BTF types of the inner map of a map of maps: kernels before 6.2 take only inner maps that have BTF if the compiled-in
// one has.
struct InnerTypes {
  uint32_t key = 0;
  uint32_t value = 0;
};

struct Object {
  bpf_object *object = nullptr;
  bool loaded = false;
  std::map<std::string, Section> sections;
  std::map<std::string, InnerTypes> inner;
  ~Object();
};

// An attachment. A TCX or XDP link is a descriptor; a clsact filter is found again by where it is and what it is called.
struct Link {
  int fd = -1;
  int ifindex = 0;
  uint32_t parent = 0;  // 0: not a filter
  uint32_t priority = 0;
  uint32_t handle = 0;
  std::string name;
  bool made_qdisc = false;
  ~Link();
};

struct Poller;
struct Ring;

struct Addon {
  uint32_t next = 1;
  std::map<uint32_t, std::unique_ptr<Object>> objects;
  std::map<uint32_t, std::unique_ptr<Link>> links;
  std::map<uint32_t, std::unique_ptr<Ring>> rings;
  std::map<uint32_t, Poller *> pollers;  // freed by libuv's close callback
  std::set<int> descriptors;
  unsigned closing = 0;  // pollers whose close callback is awaited
  napi_async_cleanup_hook_handle hook = nullptr;
  bool hook_running = false;

  ~Addon();
  static Addon &Of(const Napi::CallbackInfo &info) { return *info.Env().GetInstanceData<Addon>(); }
};

void RegisterObject(Napi::Env env, Napi::Object exports);
void RegisterMap(Napi::Env env, Napi::Object exports);
void RegisterProgram(Napi::Env env, Napi::Object exports);
void RegisterLink(Napi::Env env, Napi::Object exports);
void RegisterTc(Napi::Env env, Napi::Object exports);
void RegisterPoll(Napi::Env env, Napi::Object exports);
void RegisterRing(Napi::Env env, Napi::Object exports);
void RegisterClock(Napi::Env env, Napi::Object exports);
void RegisterInterface(Napi::Env env, Napi::Object exports);
void RegisterFeature(Napi::Env env, Napi::Object exports);

// Closes a poller; `addon` is deleted with the last one when the environment has ended.
void ClosePoller(Addon *addon, Poller *poller);

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
#include "poll.h"

#include "status.h"

#include <cstdlib>

namespace waymark {
namespace {

void Readable(uv_handle_s *handle, int status, int) {
  auto *poller = static_cast<Poller *>(uv_handle_get_data(handle));
  Napi::Env env = poller->callback.Env();
  Napi::HandleScope scope(env);

  uv_poll_stop(handle);
  poller->callback.MakeCallback(env.Global(), {Napi::Number::New(env, status)}, *poller->context);
}

void Closed(uv_handle_s *handle) {
  auto *poller = static_cast<Poller *>(uv_handle_get_data(handle));
  Addon *addon = poller->addon;

  free(handle);
  delete poller;
  if (--addon->closing == 0 && addon->hook_running) {
    napi_remove_async_cleanup_hook(addon->hook);
    delete addon;
  }
}

// (fd, callback) -> poller, at rest
Napi::Value Open(const Napi::CallbackInfo &info) {
  uv_loop_s *loop = nullptr;
  if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok)
    return Status(info, -ENOSYS);
  auto *handle = static_cast<uv_handle_s *>(calloc(1, uv_handle_size(kUvPollHandle)));
  int status = uv_poll_init(loop, handle, Int(info, 0));
  if (status) {
    free(handle);
    return Status(info, status);
  }
  auto *poller = new Poller();
  auto &addon = Addon::Of(info);
  poller->addon = &addon;
  poller->handle = handle;
  poller->callback = Napi::Persistent(info[1].As<Napi::Function>());
  poller->context = std::make_unique<Napi::AsyncContext>(info.Env(), "waymark:poll");
  uv_handle_set_data(handle, poller);
  uint32_t id = addon.next++;
  addon.pollers[id] = poller;
  return Status(info, id);
}

// (poller): calls back once when the descriptor is readable.
Napi::Value Arm(const Napi::CallbackInfo &info) {
  auto &pollers = Addon::Of(info).pollers;
  auto found = pollers.find(Uint(info, 0));
  if (found == pollers.end())
    return Status(info, -EBADF);
  return Status(info, uv_poll_start(found->second->handle, kUvReadable, Readable));
}

// The descriptor may be closed afterwards: libuv has let it go.
Napi::Value Close(const Napi::CallbackInfo &info) {
  auto &addon = Addon::Of(info);
  auto found = addon.pollers.find(Uint(info, 0));
  if (found == addon.pollers.end())
    return Status(info, -EBADF);
  Poller *poller = found->second;
  addon.pollers.erase(found);
  ClosePoller(&addon, poller);
  return Status(info, 0);
}

}  // namespace

void ClosePoller(Addon *addon, Poller *poller) {
  uv_poll_stop(poller->handle);
  poller->callback.Reset();
  poller->context.reset();
  addon->closing++;
  uv_close(poller->handle, Closed);
}

void RegisterPoll(Napi::Env env, Napi::Object exports) {
  exports.Set("pollOpen", Napi::Function::New<Open>(env));
  exports.Set("pollArm", Napi::Function::New<Arm>(env));
  exports.Set("pollClose", Napi::Function::New<Close>(env));
}

}  // namespace waymark

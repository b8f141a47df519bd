// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include "object.h"
#include "poll.h"
#include "ringbuf.h"

#include <unistd.h>

namespace waymark {

Addon::~Addon() {
  for (int fd : descriptors)
    close(fd);
}

// The environment ends: everything it owns is closed. libuv frees a handle only in a later turn of the loop, hence the
// asynchronous hook.
static void CleanUp(napi_async_cleanup_hook_handle, void *data) {
  auto *addon = static_cast<Addon *>(data);

  addon->hook_running = true;
  addon->rings.clear();
  addon->links.clear();
  addon->objects.clear();
  auto pollers = std::move(addon->pollers);
  addon->pollers.clear();
  addon->closing++;  // so that the last close callback is not before this loop's end
  for (auto &[id, poller] : pollers)
    ClosePoller(addon, poller);
  if (--addon->closing == 0) {
    napi_remove_async_cleanup_hook(addon->hook);
    delete addon;
  }
}

void KeepUntilCleanedUp(Napi::Env, Addon *) {}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto *addon = new Addon();

  CaptureLibbpfLog();
  env.SetInstanceData<Addon, KeepUntilCleanedUp>(addon);
  napi_add_async_cleanup_hook(env, CleanUp, addon, &addon->hook);
  RegisterObject(env, exports);
  RegisterMap(env, exports);
  RegisterProgram(env, exports);
  RegisterLink(env, exports);
  RegisterTc(env, exports);
  RegisterPoll(env, exports);
  RegisterRing(env, exports);
  RegisterClock(env, exports);
  RegisterInterface(env, exports);
  RegisterFeature(env, exports);
  return exports;
}

NODE_API_MODULE(waymark_bpf_runtime, Init)

}  // namespace waymark

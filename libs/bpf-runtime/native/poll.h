// SPDX-License-Identifier: Apache-2.0
// poll.h — waiting for a descriptor on the environment's event loop.
#pragma once

#include "addon.h"
#include "compat.h"

namespace waymark {

struct Poller {
  Addon *addon = nullptr;
  uv_handle_s *handle = nullptr;
  Napi::FunctionReference callback;
  std::unique_ptr<Napi::AsyncContext> context;
};

}  // namespace waymark

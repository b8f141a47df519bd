// SPDX-License-Identifier: Apache-2.0
// compat.h — constants of newer kernels than the headers this is built against, and the few libuv functions used.
#pragma once

#include <cstddef>

namespace waymark {

// linux/bpf.h, 6.6
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;

}  // namespace waymark

// node-api-headers has no uv.h. Node exports these from its own libuv, whose ABI is fixed within version 1; the size of
// a handle is asked for at run time.
extern "C" {
struct uv_loop_s;
struct uv_handle_s;
using uv_poll_cb = void (*)(uv_handle_s *handle, int status, int events);
using uv_close_cb = void (*)(uv_handle_s *handle);
size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_s *loop, uv_handle_s *handle, int fd);
int uv_poll_start(uv_handle_s *handle, int events, uv_poll_cb callback);
int uv_poll_stop(uv_handle_s *handle);
void uv_close(uv_handle_s *handle, uv_close_cb callback);
void *uv_handle_get_data(const uv_handle_s *handle);
void uv_handle_set_data(uv_handle_s *handle, void *data);
}

namespace waymark {
constexpr int kUvPollHandle = 8;  // UV_POLL of uv_handle_type
constexpr int kUvReadable = 1;
}  // namespace waymark

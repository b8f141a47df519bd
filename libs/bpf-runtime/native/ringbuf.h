// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

struct ring_buffer;

namespace waymark {

struct Ring {
  ring_buffer *ring = nullptr;
  uint8_t *out = nullptr;  // the caller's buffer, during one call
  uint32_t room = 0;
  uint32_t used = 0;
  uint32_t record = 0;  // octets of a record, as expected
  uint32_t records = 0;
  uint32_t malformed = 0;
  ~Ring();
};

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
// netlink.h — one rtnetlink request and its answers.
#pragma once

#include <cstdint>
#include <functional>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string_view>
#include <vector>

namespace waymark {

class Request {
 public:
  Request(uint16_t type, uint16_t flags);

  // The fixed part that follows the netlink header (tcmsg, ifinfomsg); once, before any attribute.
  template <class Fixed>
  Request &Head(const Fixed &fixed) {
    return Raw(&fixed, sizeof(fixed));
  }
  Request &Attribute(uint16_t type, const void *data, size_t length);
  Request &Attribute(uint16_t type, std::string_view text);  // with its terminating zero
  Request &Attribute(uint16_t type, uint32_t value) { return Attribute(type, &value, sizeof(value)); }
  size_t Begin(uint16_t type);
  void End(size_t nest);

  // Sends and reads all answers: 0 or -errno.
  int Run(const std::function<void(const nlmsghdr *)> &answer = {});

 private:
  Request &Raw(const void *data, size_t length);
  std::vector<uint8_t> bytes_;
};

// Attributes of a message by type; entries are null where the message has none.
using Attributes = std::vector<const rtattr *>;
Attributes Parse(const rtattr *first, int length, uint16_t highest);
std::string_view TextOf(const rtattr *attribute);
uint32_t WordOf(const rtattr *attribute);

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace waymark {
namespace {

constexpr size_t kAnswerBytes = 64 * 1024;  // the kernel's dump messages are at most 32 KiB
constexpr uint32_t kSequence = 1;           // every request has a socket of its own

class Socket {
 public:
  Socket() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  ~Socket() {
    if (fd_ >= 0)
      close(fd_);
  }
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Request::Request(uint16_t type, uint16_t flags) {
  nlmsghdr header = {};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = kSequence;
  Raw(&header, sizeof(header));
}

Request &Request::Raw(const void *data, size_t length) {
  size_t before = bytes_.size();
  bytes_.resize(before + NLMSG_ALIGN(length));
  memcpy(bytes_.data() + before, data, length);
  return *this;
}

Request &Request::Attribute(uint16_t type, const void *data, size_t length) {
  rtattr attribute = {};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<uint16_t>(RTA_LENGTH(length));
  Raw(&attribute, sizeof(attribute));
  return Raw(data, length);
}

Request &Request::Attribute(uint16_t type, std::string_view text) {
  std::vector<char> terminated(text.begin(), text.end());
  terminated.push_back('\0');
  return Attribute(type, terminated.data(), terminated.size());
}

size_t Request::Begin(uint16_t type) {
  size_t nest = bytes_.size();
  Attribute(type, nullptr, 0);
  return nest;
}

void Request::End(size_t nest) {
  reinterpret_cast<rtattr *>(bytes_.data() + nest)->rta_len = static_cast<uint16_t>(bytes_.size() - nest);
}

int Request::Run(const std::function<void(const nlmsghdr *)> &answer) {
  Socket socket;
  if (socket.fd() < 0)
    return -errno;
  reinterpret_cast<nlmsghdr *>(bytes_.data())->nlmsg_len = static_cast<uint32_t>(bytes_.size());
  if (send(socket.fd(), bytes_.data(), bytes_.size(), 0) < 0)
    return -errno;
  std::vector<uint8_t> buffer(kAnswerBytes);
  for (;;) {
    ssize_t received = recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (received < 0) {
      if (errno == EINTR)
        continue;
      return -errno;
    }
    auto left = static_cast<unsigned>(received);
    for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_ERROR)
        return static_cast<nlmsgerr *>(NLMSG_DATA(message))->error;
      if (message->nlmsg_type == NLMSG_DONE)
        return 0;
      if (answer)
        answer(message);
    }
  }
}

Attributes Parse(const rtattr *first, int length, uint16_t highest) {
  Attributes found(static_cast<size_t>(highest) + 1, nullptr);
  for (const rtattr *at = first; RTA_OK(at, length); at = RTA_NEXT(at, length)) {
    uint16_t type = at->rta_type & NLA_TYPE_MASK;
    if (type <= highest)
      found[type] = at;
  }
  return found;
}

std::string_view TextOf(const rtattr *attribute) {
  if (!attribute)
    return {};
  auto *text = static_cast<const char *>(RTA_DATA(attribute));
  return {text, strnlen(text, RTA_PAYLOAD(attribute))};
}

uint32_t WordOf(const rtattr *attribute) {
  uint32_t word = 0;
  if (attribute && RTA_PAYLOAD(attribute) >= sizeof(word))
    memcpy(&word, RTA_DATA(attribute), sizeof(word));
  return word;
}

}  // namespace waymark

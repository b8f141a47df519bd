// SPDX-License-Identifier: Apache-2.0
// interface.cc — network interfaces of the namespace this thread is in (not sysfs: that shows the one it was mounted in).
#include "addon.h"
#include "netlink.h"
#include "status.h"

#include <arpa/inet.h>
#include <cstring>
#include <linux/if.h>
#include <linux/if_link.h>

namespace waymark {
namespace {

constexpr size_t kMaxNameLength = IFNAMSIZ - 1;

void SetStats(Napi::Object result, const rtattr *attribute) {
  rtnl_link_stats64 stats = {};
  if (attribute)
    memcpy(&stats, RTA_DATA(attribute), std::min(sizeof(stats), static_cast<size_t>(RTA_PAYLOAD(attribute))));
  auto set = [&](const char *name, uint64_t value) { result.Set(name, Napi::BigInt::New(result.Env(), value)); };
  set("rxPackets", stats.rx_packets);
  set("txPackets", stats.tx_packets);
  set("rxBytes", stats.rx_bytes);
  set("txBytes", stats.tx_bytes);
  set("rxDropped", stats.rx_dropped);
  set("txDropped", stats.tx_dropped);
}

void SetLink(Napi::Object result, const nlmsghdr *message) {
  auto *link = static_cast<const ifinfomsg *>(NLMSG_DATA(message));
  auto attributes = Parse(IFLA_RTA(link), static_cast<int>(IFLA_PAYLOAD(message)), IFLA_MAX);
  result.Set("ifindex", link->ifi_index);
  result.Set("linkType", static_cast<double>(link->ifi_type));
  result.Set("up", (link->ifi_flags & IFF_UP) != 0);
  result.Set("mtu", WordOf(attributes[IFLA_MTU]));
  result.Set("name", std::string(TextOf(attributes[IFLA_IFNAME])));
  const rtattr *mac = attributes[IFLA_ADDRESS];
  size_t length = mac ? RTA_PAYLOAD(mac) : 0;
  auto address = Napi::Uint8Array::New(result.Env(), length);
  if (length)
    memcpy(address.Data(), RTA_DATA(mac), length);
  result.Set("mac", address);
  SetStats(result, attributes[IFLA_STATS64]);
}

// (name | ifindex)
Napi::Value LinkInfo(const Napi::CallbackInfo &info) {
  auto result = Napi::Object::New(info.Env());
  ifinfomsg head = {};
  Request request(RTM_GETLINK, NLM_F_ACK);
  if (info[0].IsString()) {
    std::string name = Text(info, 0);
    if (name.empty() || name.size() > kMaxNameLength) {
      result.Set("status", -ENODEV);
      return result;
    }
    request.Head(head).Attribute(IFLA_IFNAME, std::string_view(name));
  } else {
    head.ifi_index = Int(info, 0);
    request.Head(head);
  }
  int status = request.Run([&](const nlmsghdr *message) {
    if (message->nlmsg_type == RTM_NEWLINK)
      SetLink(result, message);
  });
  result.Set("status", status);
  return result;
}

// (ifindex) -> text addresses, IPv4 first
Napi::Value Addresses(const Napi::CallbackInfo &info) {
  auto list = Napi::Array::New(info.Env());
  auto index = Uint(info, 0);
  for (int family : {AF_INET, AF_INET6}) {
    ifaddrmsg head = {};
    head.ifa_family = static_cast<uint8_t>(family);
    Request(RTM_GETADDR, NLM_F_DUMP).Head(head).Run([&](const nlmsghdr *message) {
      auto *address = static_cast<const ifaddrmsg *>(NLMSG_DATA(message));
      if (message->nlmsg_type != RTM_NEWADDR || address->ifa_index != index || address->ifa_family != family)
        return;
      auto attributes = Parse(IFA_RTA(address), static_cast<int>(IFA_PAYLOAD(message)), IFA_MAX);
      // On a point-to-point link IFA_ADDRESS is the other end.
      const rtattr *own = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
      char text[INET6_ADDRSTRLEN];
      if (own && inet_ntop(family, RTA_DATA(own), text, sizeof(text)))
        list.Set(list.Length(), Napi::String::New(info.Env(), text));
    });
  }
  return list;
}

}  // namespace

void RegisterInterface(Napi::Env env, Napi::Object exports) {
  exports.Set("interfaceInfo", Napi::Function::New<LinkInfo>(env));
  exports.Set("interfaceAddresses", Napi::Function::New<Addresses>(env));
}

}  // namespace waymark

// SPDX-License-Identifier: Apache-2.0
#include "tc.h"

#include "addon.h"
#include "netlink.h"
#include "status.h"

#include <arpa/inet.h>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace waymark {
namespace {

constexpr uint32_t kIngress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
constexpr uint32_t kEgress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);

struct Filter {
  uint32_t priority = 0;
  uint32_t handle = 0;
  uint32_t program_id = 0;
  std::string kind;
  std::string name;
};

tcmsg Head(int ifindex, uint32_t parent) {
  tcmsg head = {};
  head.tcm_family = AF_UNSPEC;
  head.tcm_ifindex = ifindex;
  head.tcm_parent = parent;
  return head;
}

// The kind of the qdisc at the ingress hook ("clsact", "ingress"), empty if there is none.
int QdiscKind(int ifindex, std::string *kind) {
  return Request(RTM_GETQDISC, NLM_F_DUMP).Head(Head(ifindex, 0)).Run([&](const nlmsghdr *message) {
    auto *tc = static_cast<const tcmsg *>(NLMSG_DATA(message));
    if (message->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != ifindex || tc->tcm_parent != TC_H_INGRESS)
      return;
    auto attributes = Parse(TCA_RTA(tc), static_cast<int>(TCA_PAYLOAD(message)), TCA_MAX);
    *kind = TextOf(attributes[TCA_KIND]);
  });
}

int ChangeQdisc(int ifindex, uint16_t type, uint16_t flags) {
  tcmsg head = Head(ifindex, TC_H_CLSACT);
  head.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  return Request(type, static_cast<uint16_t>(NLM_F_ACK | flags)).Head(head).Attribute(TCA_KIND, "clsact").Run();
}

// Filters that classify at `parent`; a chain's own head (handle 0) is not one.
int ListFilters(int ifindex, uint32_t parent, std::vector<Filter> *filters) {
  return Request(RTM_GETTFILTER, NLM_F_DUMP).Head(Head(ifindex, parent)).Run([&](const nlmsghdr *message) {
    auto *tc = static_cast<const tcmsg *>(NLMSG_DATA(message));
    if (message->nlmsg_type != RTM_NEWTFILTER || tc->tcm_ifindex != ifindex)
      return;
    auto attributes = Parse(TCA_RTA(tc), static_cast<int>(TCA_PAYLOAD(message)), TCA_MAX);
    Filter filter;
    filter.priority = TC_H_MAJ(tc->tcm_info) >> 16;
    filter.handle = tc->tcm_handle;
    filter.kind = TextOf(attributes[TCA_KIND]);
    if (filter.kind == "bpf" && attributes[TCA_OPTIONS]) {
      const rtattr *options = attributes[TCA_OPTIONS];
      auto bpf = Parse(static_cast<const rtattr *>(RTA_DATA(options)), static_cast<int>(RTA_PAYLOAD(options)),
                       TCA_BPF_MAX);
      filter.name = TextOf(bpf[TCA_BPF_NAME]);
      filter.program_id = WordOf(bpf[TCA_BPF_ID]);
    }
    filters->push_back(filter);
  });
}

uint32_t Info(uint32_t priority) { return TC_H_MAKE(priority << 16, htons(ETH_P_ALL)); }

int AddFilter(const Link &link, int program_fd) {
  tcmsg head = Head(link.ifindex, link.parent);
  head.tcm_handle = link.handle;
  head.tcm_info = Info(link.priority);
  Request request(RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.Head(head).Attribute(TCA_KIND, "bpf");
  size_t nest = request.Begin(TCA_OPTIONS);
  request.Attribute(TCA_BPF_FD, static_cast<uint32_t>(program_fd));
  request.Attribute(TCA_BPF_NAME, std::string_view(link.name));
  request.Attribute(TCA_BPF_FLAGS, static_cast<uint32_t>(TCA_BPF_FLAG_ACT_DIRECT));
  request.End(nest);
  return request.Run();
}

int DeleteFilter(int ifindex, uint32_t parent, const Filter &filter) {
  tcmsg head = Head(ifindex, parent);
  head.tcm_handle = filter.handle;
  head.tcm_info = Info(filter.priority);
  return Request(RTM_DELTFILTER, NLM_F_ACK).Head(head).Attribute(TCA_KIND, "bpf").Run();
}

// (ifindex) -> kind
Napi::Value GetQdiscKind(const Napi::CallbackInfo &info) {
  std::string kind;
  auto result = Napi::Object::New(info.Env());
  result.Set("status", QdiscKind(Int(info, 0), &kind));
  result.Set("kind", kind);
  return result;
}

// (ifindex)
Napi::Value AddQdisc(const Napi::CallbackInfo &info) {
  return Status(info, ChangeQdisc(Int(info, 0), RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL));
}

// (ifindex, egress)
Napi::Value GetFilters(const Napi::CallbackInfo &info) {
  std::vector<Filter> filters;
  int status = ListFilters(Int(info, 0), info[1].As<Napi::Boolean>() ? kEgress : kIngress, &filters);
  auto list = Napi::Array::New(info.Env());
  for (const Filter &filter : filters) {
    auto item = Napi::Object::New(info.Env());
    item.Set("priority", filter.priority);
    item.Set("handle", filter.handle);
    item.Set("programId", filter.program_id);
    item.Set("kind", filter.kind);
    item.Set("name", filter.name);
    list.Set(list.Length(), item);
  }
  auto result = Napi::Object::New(info.Env());
  result.Set("status", status);
  result.Set("filters", list);
  return result;
}

// (programFd, ifindex, egress, priority, handle, name, lockFd, madeQdisc) -> link
Napi::Value Attach(const Napi::CallbackInfo &info) {
  auto link = std::make_unique<Link>();
  link->ifindex = Int(info, 1);
  link->priority = Uint(info, 3);
  link->handle = Uint(info, 4);
  link->name = Text(info, 5);
  link->made_qdisc = info[7].As<Napi::Boolean>();
  uint32_t parent = info[2].As<Napi::Boolean>() ? kEgress : kIngress;
  link->parent = parent;
  int status = AddFilter(*link, Int(info, 0));
  if (status) {
    link->parent = 0;
    return Status(info, status);
  }
  auto &addon = Addon::Of(info);
  addon.descriptors.erase(Int(info, 6));
  link->fd = Int(info, 6);
  uint32_t id = addon.next++;
  addon.links[id] = std::move(link);
  return Status(info, id);
}

// (ifindex, egress, priority, handle)
Napi::Value Detach(const Napi::CallbackInfo &info) {
  Filter filter;
  filter.priority = Uint(info, 2);
  filter.handle = Uint(info, 3);
  return Status(info, DeleteFilter(Int(info, 0), info[1].As<Napi::Boolean>() ? kEgress : kIngress, filter));
}

// (ifindex): removes clsact when it has no filter at all.
int RemoveEmptyQdisc(int ifindex) {
  std::vector<Filter> filters;
  if (ListFilters(ifindex, kIngress, &filters) || ListFilters(ifindex, kEgress, &filters))
    return -EBUSY;
  return filters.empty() ? ChangeQdisc(ifindex, RTM_DELQDISC, 0) : -EBUSY;
}

Napi::Value DeleteEmptyQdisc(const Napi::CallbackInfo &info) { return Status(info, RemoveEmptyQdisc(Int(info, 0))); }

// (name): a sign of life, an abstract socket: it exists while its process does, in the network namespace of the
// interface and not in one of processes, so that agents in different containers see it. Taken: -EADDRINUSE.
Napi::Value TakeName(const Napi::CallbackInfo &info) {
  std::string name = Text(info, 0);
  sockaddr_un address = {};
  if (name.size() + 1 > sizeof(address.sun_path))
    return Status(info, -ENAMETOOLONG);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return Status(info, -errno);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, name.data(), name.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd, reinterpret_cast<sockaddr *>(&address), length)) {
    int failed = -errno;
    close(fd);
    return Status(info, failed);
  }
  Addon::Of(info).descriptors.insert(fd);
  return Status(info, fd);
}

}  // namespace

void RemoveOwnFilter(const Link &link) {
  std::vector<Filter> filters;
  if (ListFilters(link.ifindex, link.parent, &filters))
    return;
  for (const Filter &filter : filters)
    if (filter.priority == link.priority && filter.handle == link.handle && filter.name == link.name)
      DeleteFilter(link.ifindex, link.parent, filter);
  if (link.made_qdisc)
    RemoveEmptyQdisc(link.ifindex);
}

void RegisterTc(Napi::Env env, Napi::Object exports) {
  exports.Set("tcQdiscKind", Napi::Function::New<GetQdiscKind>(env));
  exports.Set("tcQdiscAdd", Napi::Function::New<AddQdisc>(env));
  exports.Set("tcQdiscDeleteEmpty", Napi::Function::New<DeleteEmptyQdisc>(env));
  exports.Set("tcFilters", Napi::Function::New<GetFilters>(env));
  exports.Set("tcAttach", Napi::Function::New<Attach>(env));
  exports.Set("tcDetach", Napi::Function::New<Detach>(env));
  exports.Set("takeName", Napi::Function::New<TakeName>(env));
}

}  // namespace waymark

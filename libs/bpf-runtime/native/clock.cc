// SPDX-License-Identifier: Apache-2.0
// clock.cc — the kernel's clocks, their health, and a descriptor that tells of steps.
#include "addon.h"
#include "status.h"

#include <ctime>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <unistd.h>

namespace waymark {
namespace {

constexpr int64_t kNsPerSecond = 1000000000;
constexpr time_t kFarAway = 0x7fffffff;  // the timer itself never fires in practice

// (clockId) -> bigint, nanoseconds
Napi::Value Now(const Napi::CallbackInfo &info) {
  timespec now = {};
  clock_gettime(Int(info, 0), &now);
  return Napi::BigInt::New(info.Env(), static_cast<int64_t>(now.tv_sec * kNsPerSecond + now.tv_nsec));
}

Napi::Value Health(const Napi::CallbackInfo &info) {
  timex state = {};
  int status = adjtimex(&state);
  auto result = Napi::Object::New(info.Env());
  result.Set("status", status < 0 ? -errno : 0);
  result.Set("synchronised", status != TIME_ERROR && !(state.status & STA_UNSYNC));
  result.Set("maxErrorUs", static_cast<double>(state.maxerror));
  result.Set("estimatedErrorUs", static_cast<double>(state.esterror));
  result.Set("taiOffsetS", state.tai);
  return result;
}

int Wait(int fd) {
  itimerspec far = {};
  far.it_value.tv_sec = kFarAway;
  return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr) ? -errno : 0;
}

// A descriptor that becomes readable when the wall clock is set or the TAI offset changes.
Napi::Value StepOpen(const Napi::CallbackInfo &info) {
  int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0)
    return Status(info, -errno);
  int status = Wait(fd);
  if (status) {
    close(fd);
    return Status(info, status);
  }
  Addon::Of(info).descriptors.insert(fd);
  return Status(info, fd);
}

// (fd) -> 1 if the clock was stepped since the last call
Napi::Value StepTaken(const Napi::CallbackInfo &info) {
  uint64_t expirations;
  int fd = Int(info, 0);
  if (read(fd, &expirations, sizeof(expirations)) >= 0 || errno != ECANCELED)
    return Status(info, 0);
  int status = Wait(fd);
  return Status(info, status ? status : 1);
}

}  // namespace

void RegisterClock(Napi::Env env, Napi::Object exports) {
  exports.Set("clockNow", Napi::Function::New<Now>(env));
  exports.Set("clockHealth", Napi::Function::New<Health>(env));
  exports.Set("clockStepOpen", Napi::Function::New<StepOpen>(env));
  exports.Set("clockStepTaken", Napi::Function::New<StepTaken>(env));
}

}  // namespace waymark

// What does an event cost until its user's stage is known again, with 1.5 million users and their timers?
// ./dev bench stage_update [EVENTS [USERS]]
#include <fmt/format.h>

#include <cstdlib>

#include "base/random.h"
#include "lifecycle/stage_watch.h"

namespace perennial {
namespace {

constexpr TimeMs kYear = 365 * TimeMs{86'400'000};
constexpr size_t kCommit = 64;  // events that a server of some hundred clients puts into one
constexpr TimeMs kStart = 1'700'000'000'000;

StoredRecord random_event(Random& random, int64_t number, int64_t events, int64_t users) {
  StoredRecord record;
  record.offset = number + 1;
  const double draw = random.uniform();  // a few heavy users, many light ones
  record.user =
      static_cast<UserId>(number < users ? number : static_cast<int64_t>(draw * draw * static_cast<double>(users)));
  record.time = kStart + kYear * number / events;
  const double kind = random.uniform();
  record.type = kind < 0.80 ? 0 : kind < 0.92 ? 1 : 2;
  Event event;
  if (record.type == 2) event.amount = Money{static_cast<int64_t>(random.below(20'000)), "USD"};
  record.payload = std::move(event);
  return record;
}

int64_t misplaced(const StageCounts& got, const StageCounts& wanted) {
  int64_t wrong = 0;
  for (size_t stage = 0; stage < kStages; ++stage)
    for (size_t overlay = 0; overlay < kOverlays; ++overlay)
      wrong += std::abs(got.users[stage][overlay] - wanted.users[stage][overlay]);
  return wrong;
}

int run(int64_t events, int64_t users) {
  Dictionary types;
  for (const char* type : {"Product Viewed", "Product Added", "Order Completed"}) types.add(type);
  const Dictionary names;
  Lives lives(preset("e-commerce").value(), types, names);
  StageWatch watch(lives, kStart);
  Random random(7);
  double fold = 0;
  double stages = 0;
  double time_alone = 0;
  std::vector<StoredRecord> commit;
  for (int64_t i = 0; i < events;) {
    commit.clear();
    while (i < events && commit.size() < kCommit) commit.push_back(random_event(random, i++, events, users));
    for (size_t at = 0; at < commit.size(); ++at) {
      const StoredRecord& record = commit[at];
      const double started = monotonic_seconds();
      lives.look_ahead(at, commit);
      lives.apply(record);
      const double applied = monotonic_seconds();
      watch.look_ahead(at, commit);
      watch.touched(lives.touched(), record.time);
      const double looked = monotonic_seconds();
      watch.advance(record.time);
      fold += applied - started;
      stages += looked - applied;
      time_alone += monotonic_seconds() - looked;
    }
  }
  const TimeMs end = kStart + kYear;
  watch.advance(end);
  if (const int64_t wrong = misplaced(watch.counts(), count_stages(lives, end)); wrong > users / 10'000) {
    fmt::print(stderr, "the watch misplaces {} users\n", wrong);  // a few of the last minute may be
    return 1;
  }
  const double started = monotonic_seconds();
  const StageCounts counts = count_stages(lives, end);
  const double counted = monotonic_seconds() - started;
  const double each = 1e9 / static_cast<double>(events);
  fmt::print("{} events, {} users; ns an event, of which reading the clock is about 20 in each\n", events,
             counts.all());
  fmt::print(
      "  its facts (the fold)      {:6.0f}\n  its user's stage, timer   {:6.0f}\n  users moved by time alone {:6.0f}\n",
      fold * each, stages * each, time_alone * each);
  fmt::print("counting everybody as of an instant: {:.2f} s\n", counted);
  return 0;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  const int64_t events = argc > 1 ? std::atoll(argv[1]) : 10'000'000;
  const int64_t users = argc > 2 ? std::atoll(argv[2]) : 1'500'000;
  return perennial::run(events, users);
}

// records_of_segment_message, by each call: the records are valid, or there is a reason.
#include "events/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  constexpr TimeMs kNow = 1'772'359'200'000;
  const auto message = parse_json_object({reinterpret_cast<const char*>(data), size});
  if (!message.ok()) return 0;
  for (const char* call : {"", "identify", "track", "page", "screen", "group", "alias"}) {
    const auto records = records_of_segment_message(*message, call, kNow);
    PERENNIAL_CHECK(records.ok() || !records.status().message().empty(), "a failure without words");
    if (!records.ok()) continue;
    PERENNIAL_CHECK(!records->empty(), "neither records nor a failure");
    for (const Record& record : *records) {
      const Status valid = validate(record, kNow);
      PERENNIAL_CHECK(valid.ok(), "a record that is not valid: {}", valid.message());
      PERENNIAL_CHECK(!record.message_id.is_zero(), "no message id");
    }
  }
  return 0;
}

#include "log/record_codec.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "log/log_fixture.h"
#include "log/raw_json.h"

namespace perennial {
namespace {

Payload empty_like(const Payload& payload) {
  return std::visit([](const auto& fields) { return Payload(std::decay_t<decltype(fields)>()); }, payload);
}

TEST(RecordCodec, EveryPayloadComesBackFromItsBody) {
  Random random(20);
  for (int i = 0; i < 2000; ++i) {
    const Payload payload = random_payload(random, "marker", "bob");
    const std::string body = encode_body(payload);
    Payload back = empty_like(payload);
    const Status status = decode_body(body, back);
    ASSERT_TRUE(status.ok()) << status.message() << " in " << body;
    ASSERT_EQ(encode_body(back), body);
    ASSERT_TRUE(body.empty() || parse_json_object(body).ok()) << body;
  }
}

TEST(RecordCodec, PropertiesKeepTheirBytes) {
  Event event;
  event.device = "a \"quoted\" \\ device\n";
  event.properties = R"({ "n" : 1.50, "big":123456789012345678901234567890, "s":"}\"]", "o":{"x":[{},[]]} })";
  Payload back = Event();
  ASSERT_TRUE(decode_body(encode_body(event), back).ok());
  EXPECT_EQ(std::get<Event>(back).properties, event.properties);
  EXPECT_EQ(std::get<Event>(back).device, event.device);
}

TEST(RecordCodec, NothingToSayIsNoBody) {
  EXPECT_EQ(encode_body(Event()), "");
  EXPECT_EQ(encode_body(ItemDelete()), "");
  EXPECT_EQ(encode_body(Erasure()), "");
}

TEST(RecordCodec, UnknownFieldsArePassedOver) {
  Payload back = Event();
  ASSERT_TRUE(decode_body(R"({"newer":[1,{"a":"]"}],"device":"tv","more":null})", back).ok());
  EXPECT_EQ(std::get<Event>(back).device, "tv");
}

TEST(RecordCodec, CutBodiesAreDataLossAndNeverReadBeyondTheirEnd) {
  const Action action{"a\\", "letter", "mail", 0.5F, R"({"a":[1,{"b":"]"}]})"};
  const std::string body = encode_body(action);
  for (size_t length = 1; length < body.size(); ++length) {
    const std::string cut(body, 0, length);  // of its own, so that a sanitizer sees a read beyond it
    Payload back = Action();
    const Status status = decode_body(cut, back);
    ASSERT_EQ(status.code(), Code::data_loss) << cut;
  }
}

TEST(RecordCodec, MessageBytesAreThoseOfTheHexDigits) {
  const MessageId id = message_id_of("hello");
  std::string hex;
  for (const char c : message_bytes(id)) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  EXPECT_EQ(hex, to_hex(id));
  const MessageBytes bytes = message_bytes(id);
  EXPECT_EQ(message_of_bytes({bytes.data(), bytes.size()}), id);
  EXPECT_TRUE(message_of_bytes("short").is_zero());
}

}  // namespace
}  // namespace perennial

#include "gateway/form.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

const std::string two_fields =
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;name=x.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n-b\r\n\r\n--b\r\n"
    "content-disposition: form-data; name=model\r\n\r\nwhisper-1\r\n--b--\r\n";

Result<FormParts> parts_of(const std::string& body, std::size_t piece, std::string_view type = "multipart/form-data; boundary=b") {
  TOLLGATE_TRY(FormReader reader, FormReader::of(type));
  for (std::size_t at = 0; at < body.size(); at += piece) reader.feed(std::string_view(body).substr(at, piece));
  return reader.parts(body);
}

TEST(Form, PartsAreFoundHoweverTheBodyIsCut) {
  for (std::size_t piece = 1; piece <= two_fields.size(); ++piece) {
    const Result<FormParts> parts = parts_of(two_fields, piece);
    ASSERT_TRUE(parts) << piece << ": " << parts.error().message;
    ASSERT_EQ(parts.value().size(), 2U) << piece;
    EXPECT_EQ(parts.value()[0].name, "file");
    EXPECT_TRUE(parts.value()[0].is_file);
    EXPECT_EQ(parts.value()[0].content_type, "audio/wav");
    EXPECT_EQ(parts.value()[0].value, "RIFF\r\n-b\r\n");
    EXPECT_EQ(parts.value()[1].name, "model");
    EXPECT_FALSE(parts.value()[1].is_file);
    EXPECT_EQ(parts.value()[1].value, "whisper-1");
  }
}

TEST(Form, AnEmptyOneHasNoParts) { EXPECT_EQ(parts_of("--b--\r\n", 3).value().size(), 0U); }

TEST(Form, WhatIsCutOffOrNoFormIsRefused) {
  for (const char* const body : {"", "x", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "--b\r\nno header\r\n\r\nx\r\n--b--",
                                 "--b\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "--c\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--c--"}) {
    EXPECT_FALSE(parts_of(body, 100)) << body;
  }
}

TEST(Form, ALineThatOnlyBeginsLikeTheBoundaryIsRefusedForReadersDifferOnIt) {
  EXPECT_FALSE(parts_of("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--bee\r\n--b--\r\n", 5));
}

TEST(Form, AFieldThatRulesReadStandsOnce) {
  const auto field = [](const char* name) { return std::string("--b\r\nContent-Disposition: form-data; name=\"") + name + "\"\r\n\r\nx\r\n"; };
  EXPECT_FALSE(parts_of(field("model") + field("model") + "--b--\r\n", 7));
  EXPECT_TRUE(parts_of(field("image[]") + field("image[]") + "--b--\r\n", 7));
}

TEST(Form, NothingMayStandBehindItsEnd) {
  EXPECT_FALSE(parts_of("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\ny\r\n--b--\r\n", 9));
}

TEST(Form, ItsTypeNamesABoundary) {
  EXPECT_TRUE(FormReader::of("multipart/form-data; charset=utf-8; boundary=\"a b\""));
  EXPECT_EQ(FormReader::of("multipart/form-data; BOUNDARY=x; charset=utf-8").value().delimiter(), "\r\n--x");
  for (const char* const type : {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""}) EXPECT_FALSE(FormReader::of(type)) << type;
  EXPECT_FALSE(FormReader::of("multipart/form-data; boundary=" + std::string(71, 'x')));
}

TEST(Form, TypesAreToldApart) {
  EXPECT_TRUE(is_form("multipart/form-data; boundary=b"));
  EXPECT_TRUE(is_json("Application/JSON; charset=utf-8"));
  EXPECT_FALSE(is_form("multipart/form-dataset"));
  EXPECT_FALSE(is_json("application/jsonl"));
}

}  // namespace
}  // namespace tollgate

#pragma once
// A configuration's text made fit to be shown and edited by people who may look at the gateway but not into its secrets, and what
// it takes to load an edited copy without them.
//
//    const AsWritten written = read_as_written(yaml, process_environment());
//    written.text                             // "${TOLLGATE_KEPT_1:?…}" where a credential stood in the file
//    foreign_files(edited, written)           // files that the copy names and the file in force does not
//    environment_for(edited, written)         // "NAME=value" for a process that loads the copy
//
// What is a secret, the loader says: whatever it reads with Cursor::secret(). Variables in secrets keep their names and lose
// their values; the rest of the text stays byte for byte, so that lines and columns are those of the file. Comments lose what looks
// like a credential. A copy is loaded with made-up secrets: what it costs and where it sends does not depend on them, and what never
// gets in cannot come out.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/yaml_tree.hpp"

namespace tollgate {

struct AsWritten {
  std::string text;                              ///< "": it cannot be shown without showing a secret
  std::map<std::string, std::string> variables;  ///< that other values than secrets use, as they were when it was loaded
  std::set<std::string> files;                   ///< that it names (`file`, `…_file`), as written
};

/// What a load saw of the text's secrets and variables.
struct Noted {
  struct SecretValue {
    Place place;
    std::string written;                         ///< quotes and escapes undone, variables not put in
  };
  std::vector<SecretValue> secrets;
  std::map<std::string, std::string> variables;
  std::set<std::string> secret_variables;
};
/// Of a text that loads; of another one nothing is known (`text` is "").
[[nodiscard]] AsWritten read_as_written(std::string_view yaml, const Environment& environment);

struct ForeignFile {
  Place place;
  std::string path;
};
/// Empty for a text that is no YAML, too: loading it will say so.
[[nodiscard]] std::vector<ForeignFile> foreign_files(std::string_view edited, const AsWritten& in_force);

/// Variables of the file in force outside of secrets have their values. All others that `edited` uses without a default get a made-up one,
/// which no other has; those with a default get none. Nothing else of this process's environment is in it.
[[nodiscard]] std::vector<std::string> environment_for(std::string_view edited, const AsWritten& in_force);

}  // namespace tollgate

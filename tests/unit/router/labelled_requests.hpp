#pragma once
// Requests with the tiers that are right for them, written for this project. A tier is accepted from `low` to `high`.
//   {ARTICLE} a pasted text full of hard words   {LOG} a pasted log   {CODE} a pasted program   {AGENT} a coding
//   agent's system prompt

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate::testing {

struct LabelledRequest {
  Tier low, high;
  std::string_view user;
  std::string_view system = "", before = "";
};

inline constexpr Tier S = Tier::simple, M = Tier::medium, C = Tier::complex, R = Tier::reasoning;

inline constexpr LabelledRequest labelled_requests[] = {
    // Facts
    {S, S, "What is the capital of France?"},
    {S, S, "who wrote War and Peace"},
    {S, S, "When was the Eiffel Tower built?"},
    {S, S, "How many legs does a spider have?"},
    {S, S, "whats the captial of austrlia"},
    {S, S, "Was ist die Hauptstadt von Österreich?"},
    {S, S, "Wie hoch ist der Mont Blanc?"},
    {S, S, "Quelle est la capitale du Portugal ?"},
    {S, S, "¿Cuál es la capital de Perú?"},
    {S, S, "法国的首都是什么？"},
    {S, S, "日本の首都はどこですか？"},
    {S, S, "What does the abbreviation NASA stand for?"},
    {S, S, "What year did the Berlin Wall fall?"},
    {S, S, "2+2?"},
    {S, S, "What is 17 times 23?"},
    {S, S, "Which planet is the largest in our solar system?"},
    // Small talk
    {S, S, "Hello!"},
    {S, S, "hi, how are you today?"},
    {S, S, "Thanks, that was great."},
    {S, S, "Guten Morgen! Wie geht es dir?"},
    {S, S, "Merci beaucoup !"},
    {S, S, "Hola, ¿qué tal?"},
    {S, S, "你好"},
    {S, S, "ありがとうございます"},
    {S, S, "ok perfect"},
    {S, S, "Tell me a joke."},
    {S, M, "I had a rough day at the office and just want to chat for a bit."},
    // Simple work on texts
    {S, S, "Translate to German: The weather is nice today."},
    {S, S, "Summarize the following article in three sentences:\n\n{ARTICLE}"},
    {S, S, "{ARTICLE}\n\nSummarise the text above."},
    {S, S, "{ARTICLE}\n\nTL;DR please"},
    {S, S, "Fasse den folgenden Text kurz zusammen:\n\n{ARTICLE}"},
    {S, S, "Übersetze den Satz ins Englische: Wir beweisen den Satz durch Induktion."},
    {S, S, "Resume el siguiente texto en dos frases:\n\n{ARTICLE}"},
    {S, S, "Résume le texte suivant en trois phrases :\n\n{ARTICLE}"},
    {S, S, "请用一句话总结下面的文章：\n\n{ARTICLE}"},
    {S, S, "次の文章を要約してください。\n\n{ARTICLE}"},
    {S, S, "Extract all e-mail addresses and phone numbers from this text as JSON:\n\n{ARTICLE}"},
    {S, S,
     "Classify the sentiment of this review as positive, negative or neutral: \"The battery died after two days and "
     "support never answered.\""},
    {S, S, "Proofread this and fix the grammar: \"She dont know why the theorem are true.\""},
    {S, S, "Rewrite this e-mail in a friendlier tone:\n\nDear Mr Miller, your invoice is overdue. Pay now."},
    {S, S, "sumarize this plz: {ARTICLE}"},
    {S, S, "Please trasnlate this to french: I would like to book a table for two."},
    {S, S, "Convert this list to JSON: apples 3, pears 4, plums 7"},
    {S, S, "Give me five synonyms for happy."},
    {S, S, "List three fruits that are red."},
    {S, S, "Extrahiere alle Datumsangaben aus diesem Vertrag:\n\n{ARTICLE}"},
    {S, S, "Traduis en anglais : « Démontrer le théorème exige de la patience. »"},
    {S, S, "Corrige les fautes d'orthographe : je suis aller a la plage hier avec mes amie"},
    {S, S, "翻译成英文：今天天气很好，我们去公园散步。"},
    {S, S, "Prove that you can follow: the theorem, by induction, is derived as follows.",
     "You are a translator. Translate every message of the user into Spanish."},
    {S, M, "{LOG}\n\nExtract the distinct error codes from this log."},
    {S, S, "<document>\n{ARTICLE}\n</document>\n<question>Who is the author?</question>"},
    {S, M, "Answer using only the context.\n<context>\n{ARTICLE}\n</context>\nWhen was the bridge opened?"},
    // Everyday requests
    {S, M, "Write a short birthday message for my colleague."},
    {S, M, "Write a haiku about autumn."},
    {S, M, "Give me a recipe for pancakes."},
    {S, M, "What should I cook tonight with rice, eggs and spinach?"},
    {S, M, "How do I center a div in CSS?"},
    {S, M, "Explain photosynthesis to a ten year old."},
    {S, M, "Schreibe ein kurzes Gedicht über den Herbst."},
    {S, M, "Écris un poème sur la mer."},
    {S, M, "Suggest a name for my new coffee shop."},
    {S, M, "How does a refrigerator work?"},
    {S, M, "Wie funktioniert ein Kühlschrank?"},
    {S, M, "介绍一下长城。"},
    {S, M, "Plan a weekend in Lisbon for two people who like food."},
    {S, M, "Write a function in Python that reverses a string."},
    {S, M, "python how to read a csv file"},
    {S, M, "Write a SQL query that returns all customers from Berlin."},
    {S, M, "What are the symptoms of a cold?"},
    {M, C, "Explain the difference between TCP and UDP and when to use which."},
    {M, C, "Compare renting and buying a flat over ten years, with the advantages and disadvantages of each."},
    {M, C,
     "Tom has 12 apples. He gives a third of them to Ann, buys 5 more and then eats 2 every day for three days. How "
     "many "
     "apples does he have left?"},
    {M, C,
     "Ein Zug fährt um 8 Uhr mit 80 km/h los, ein zweiter um 9 Uhr mit 120 km/h. Wann und nach wie vielen Kilometern "
     "holt der zweite den ersten ein?"},
    {M, C, "Why did the Roman Empire fall? Name the main causes and explain how they are connected."},
    {M, C, "Warum ist der Himmel blau und der Sonnenuntergang rot? Erkläre es physikalisch."},
    {M, C, "为什么天空是蓝色的？请详细解释。"},
    {M, C, "Find all x with x^2 - 5x + 6 = 0 and explain each step."},
    {M, R, "Write an essay of 1500 words on the consequences of the printing press, with a clear argument."},
    // Debugging and code
    {C, R,
     "This program crashes with a segmentation fault after a few thousand requests. Find the bug and explain the root "
     "cause.\n\n```cpp\n{CODE}\n```"},
    {C, R, "{CODE}\n\nWhy does this deadlock when two threads call transfer at the same time? How would you fix it?"},
    {C, R,
     "My Python service leaks memory. I already checked the caches. Here is the traceback and the code, please debug "
     "it:\n"
     "```\n{CODE}\n```"},
    {C, R,
     "Refactor this module into testable classes, keep the public API unchanged, avoid global state, and write unit "
     "tests "
     "for the edge cases:\n\n```python\n{CODE}\n```"},
    {C, R,
     "Implement a lock-free multi-producer single-consumer queue in C++20 and argue why it is correct under the C++ "
     "memory model. It must not allocate after construction."},
    {C, R,
     "Mein Dienst hängt manchmal in einem Deadlock. Analysiere den folgenden Code und finde die Ursache:\n\n"
     "```java\n{CODE}\n```"},
    {C, R,
     "Mi programa en Python falla con un error de memoria. Analiza el código, encuentra la causa y optimiza el "
     "algoritmo:\n```\n{CODE}\n```"},
    {C, R, "这段代码在高并发下会死锁，请分析原因并给出修复方案：\n```java\n{CODE}\n```"},
    {C, R, "このコードにバグがあります。原因を分析して、修正案を設計してください。\n```python\n{CODE}\n```"},
    {M, R,
     "the tests in ci are flaky since the migration to postgres, sometimes a race condition between the worker and the "
     "api. how can i find the root cause"},
    // Design and analysis
    {C, R,
     "Design a distributed rate limiter for an API with 50 regions. Compare token bucket and sliding window, discuss "
     "the trade-offs, and explain how it stays consistent when a region fails."},
    {C, R,
     "Entwirf eine skalierbare Architektur für ein Bezahlsystem. Vergleiche mindestens zwei Ansätze und begründe deine "
     "Entscheidung."},
    {C, R,
     "Conçois une architecture distribuée pour une messagerie et compare les compromis entre cohérence et "
     "disponibilité. Justifie chaque choix."},
    {C, R,
     "Diseña una estrategia para migrar un monolito a microservicios sin interrupciones y analiza los riesgos de cada "
     "paso."},
    {C, R, "设计一个支持高并发的分布式订单系统，比较不同方案的优缺点，并分析一致性问题。"},
    {C, R, "分散システムの設計について、一致性と可用性のトレードオフを比較し、理由を詳しく説明してください。"},
    {C, R,
     "Optimise this query plan. The table has 400 million rows; reads must stay under 50 ms and writes must not block. "
     "Compare partitioning, covering indexes and materialised views, and justify your choice."},
    {C, R,
     "Analyse the liability clauses of this contract under German law, identify the risks for the supplier, and argue "
     "which of them a court would likely hold invalid.\n\n{ARTICLE}"},
    {C, R,
     "A 62 year old patient has chest pain, raised troponin and a normal ECG. Work out the differential diagnosis step "
     "by "
     "step and justify which test comes first."},
    {C, R,
     "Develop a pricing strategy for a B2B product entering a market with two incumbents. Analyse their likely "
     "reactions "
     "with game theory and weigh up at least three options."},
    {C, R,
     "Using only the attached report, critically evaluate the author's argument. Which assumptions are not justified, "
     "and what would follow if they were false?\n\n{ARTICLE}"},
    // Proofs and hard mathematics
    {C, R,
     "Prove that there are infinitely many primes p ≡ 3 mod 4. Give a long and complete argument: begin with the "
     "assumption that there are only finitely many, construct a suitable number, discuss its prime factors modulo 4, "
     "and "
     "derive the contradiction rigorously."},
    {C, R, "Prove that sqrt(2) is irrational."},
    {C, R, "Proove that the sum of two odd integers is even, step by step."},
    {C, R, "Beweise, dass es unendlich viele Primzahlen gibt."},
    {C, R, "Démontrez que la racine carrée de 2 est irrationnelle, étape par étape."},
    {C, R, "Demuestra por inducción que la suma de los primeros n enteros es n(n+1)/2."},
    {C, R, "证明根号2是无理数，并逐步推导。"},
    {C, R, "素数が無限に存在することを証明してください。"},
    {C, R,
     "Let $f: \\mathbb{R} \\to \\mathbb{R}$ be continuous with $f(x+y) = f(x) + f(y)$. Show that $f$ is linear and "
     "derive $f(x) = x f(1)$."},
    {C, R, "Derive the closed form of \\(\\sum_{k=1}^{n} k^3\\) and prove it by induction."},
    {C, R,
     "Five people of five nations live in five houses in a row. Using the twelve clues below, deduce who owns the "
     "fish. "
     "Reason step by step and show that the solution is unique."},
    {C, R,
     "Compute the eigenvalues of the matrix [[2,1],[1,3]], derive the general solution of x' = Ax, and analyse the "
     "stability of the equilibrium."},
    // Wrapped by agent frameworks: what the user wants counts, not the wrapping
    {S, S, "What is the capital of France?", "{AGENT}"},
    {S, S, "thanks!", "{AGENT}", "Prove that sqrt(2) is irrational."},
    {S, S,
     "<environment_details>\nworking directory: /srv/app\nopen files: architecture.md, proof.tex, debug.log\n"
     "</environment_details>\n<task>\nRename the file a.txt to b.txt\n</task>",
     "{AGENT}"},
    {S, S,
     "<system-reminder>\nAlways analyse carefully, debug every error, design before you implement.\n"
     "</system-reminder>\nhello",
     "{AGENT}"},
    {C, R,
     "<environment_details>\nworking directory: /srv/app\n</environment_details>\n<task>\nRefactor the scheduler so "
     "that "
     "it supports priorities, find the race condition in the worker pool, and design tests that prove there is no "
     "deadlock.\n</task>",
     "{AGENT}"},
    {C, R, "Implement the migration to async, step by step, and debug the failing integration tests.", "{AGENT}"},
    // In the light of the turn before
    {C, R, "why?", "",
     "Prove rigorously that every continuous function on a compact set is bounded, by contradiction."},
    {C, R, "continue", "",
     "Design a distributed consensus protocol, compare it with Raft and analyse its failure modes step by "
     "step."},
    {S, S, "And of Spain?", "", "What is the capital of France?"},
    {S, S, "Now translate your answer to German.", "", "Prove that sqrt(2) is irrational."},
};

inline constexpr std::string_view article =
    "The old bridge over the river had been closed for eleven years when the city council finally asked why. An "
    "engineer, Clara "
    "Voss, analysed the failure of the southern pier and compared three designs. Her proof that the pier would not "
    "hold a second "
    "flood was debated for weeks: critics argued that the root cause was never the concrete but the strategy of the "
    "port "
    "authority, which had to optimise traffic at any price.\n\nIn her report she derives the load step by step and "
    "evaluates the "
    "trade-offs between cost and safety. The council must decide before June, at least according to the contract, "
    "whether to "
    "migrate the tram line or to design a new one. Errors in the first calculation were corrected; the equation for "
    "the shear "
    "force, however, remained disputed, and a court had to interpret the liability clause.\n\nThe new bridge was "
    "opened on 4 May. "
    "Architects from five countries had worked on the algorithm that controls its dampers, and the theorem behind it "
    "is named "
    "after her teacher. Visitors can write to bridge@example.org or call 555-0142. Why the old pier failed is "
    "explained in a "
    "small museum, where a complex model demonstrates the forces, and a plaque reads: justify every assumption, prove "
    "every "
    "bound, and then build.\n\nThe tram runs every ten minutes. On Sundays the market moves to the northern bank, and "
    "the fish "
    "sellers complain about the wind. Some say the town has not been the same since; others say it never was.";

inline constexpr std::string_view log =
    "2031-02-03T10:00:01Z INFO worker started\n2031-02-03T10:00:02Z ERROR E1042 timeout while reading from upstream\n"
    "2031-02-03T10:00:02Z WARN retry 1 of 3\n2031-02-03T10:00:05Z ERROR E1042 timeout while reading from upstream\n"
    "2031-02-03T10:00:09Z ERROR E2001 exception in handler: null pointer\n  at app.Handler.run(Handler.java:42)\n"
    "  at app.Worker.loop(Worker.java:17)\n2031-02-03T10:00:10Z INFO worker stopped\n"
    "2031-02-03T10:01:01Z INFO worker started\n2031-02-03T10:01:07Z ERROR E1042 timeout while reading from upstream\n"
    "2031-02-03T10:01:09Z INFO 200 GET /health 3ms\n2031-02-03T10:01:12Z INFO 200 GET /orders 18ms\n"
    "2031-02-03T10:01:15Z INFO 500 POST /orders 2ms\n2031-02-03T10:01:19Z INFO worker stopped\n"
    "2031-02-03T10:02:01Z INFO worker started\n2031-02-03T10:02:02Z WARN queue length 1043 above limit\n"
    "2031-02-03T10:02:03Z ERROR E2001 exception in handler: null pointer\n  at app.Handler.run(Handler.java:42)\n";

inline constexpr std::string_view code =
    "class Account {\n public:\n  void transfer(Account& to, int amount) {\n    std::lock_guard<std::mutex> "
    "a(mutex_);\n"
    "    std::lock_guard<std::mutex> b(to.mutex_);\n    balance_ -= amount;\n    to.balance_ += amount;\n  }\n"
    "  int balance() const { return balance_; }\n\n private:\n  std::mutex mutex_;\n  int balance_ = 0;\n};\n\n"
    "int main() {\n  std::vector<Account*> accounts;\n  for (int i = 0; i < 100; ++i) accounts.push_back(new "
    "Account);\n"
    "  std::thread t1([&] { for (int i = 0; i < 99; ++i) accounts[i]->transfer(*accounts[i + 1], 1); });\n"
    "  std::thread t2([&] { for (int i = 99; i > 0; --i) accounts[i]->transfer(*accounts[i - 1], 1); });\n"
    "  t1.join();\n  t2.join();\n}";

inline constexpr std::string_view agent =
    "You are an expert software engineer working in a terminal. You analyse, design, implement, refactor, debug and "
    "test code in "
    "any language, and you always reason step by step before you act.\n\n# Rules\n- You must never delete files "
    "without asking.\n"
    "- You must think carefully about edge cases, race conditions and security before each change.\n- Explain why a "
    "change is "
    "correct and compare at least two alternatives.\n- Never guess the root cause: prove it with a failing test "
    "first.\n\n"
    "# Tools\nread_file(path), write_file(path, text), run(command), search(pattern), list(path).\nEach call must be a "
    "JSON object "
    "and exactly one tool may be called per message.\n\n# Style\nPrefer small functions. Optimise only what a profile "
    "shows. Keep "
    "the architecture simple; derive new modules from existing ones.\n\n# Workflow\n1. Plan the work and write the "
    "plan down.\n"
    "2. Implement it in small steps.\n3. Run the tests, debug every failure, and explain it.\n4. Summarise what was "
    "done.\n";

/// The text with its placeholders filled in.
inline std::string filled(std::string_view text) {
  std::string out(text);
  const std::pair<std::string_view, std::string_view> places[] = {
      {"{ARTICLE}", article}, {"{LOG}", log}, {"{CODE}", code}, {"{AGENT}", agent}};
  for (const auto& [name, value] : places) {
    for (std::size_t at = out.find(name); at != std::string::npos; at = out.find(name, at + value.size())) {
      out.replace(at, name.size(), value);
    }
  }
  return out;
}

}  // namespace tollgate::testing

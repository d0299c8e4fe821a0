#pragma once
// The lists themselves; only lexicon.cpp includes them. Everything is folded: no capitals, no accents, "ß" as "ss".
//   words       whole words (the first 16 bytes count)
//   stems       the first six letters of longer words: "optimi" is optimise, optimization, Optimierung, optimiser,
//   optimizar pairs       two words in a row, joined by "+"; hyphens separate words too characters  two Chinese or
//   Japanese characters
// Common misspellings stand among the words.

#include "router/lexicon.hpp"

namespace tollgate {

struct WordList {
  Mark mark;
  std::string_view words, stems, pairs, characters;
};

inline constexpr WordList word_lists[] = {
    {Mark::prove,
     "prove proves proved proving proof proofs proove theorem theorems lemma corollary qed derive derives "
     "deriving derivation derivations contradiction induction counterexample disprove formally deduce "
     "deduction theoreme teorema conjecture herleiten herleitung herleite widerspruch widerlege prouve prouver "
     "prouvez preuve contradiccion induccion contraexemple contraejemplo deducir demostracion",
     "rigoro beweis demont demost demues rigour",
     "show+that zeige+dass zeigen+sie montre+que montrer+que montrez+que prueba+que demonstrate+that leite+her "
     "from+scratch first+principles mathematical+induction",
     "求证 求證 证明 證明 推导 推導 反证 反證 定理 引理 严格 証明 導出 導け 背理 归纳 帰納 示せ"},
    {Mark::reason,
     "why reason reasons reasoning reasoned infer inference logic logical logically assess assessment critique "
     "critically implications implication interpret interpretation argue argues puzzle riddle paradox dilemma "
     "consequences investigate hypothesis hypotheses prioritize prioritise judge scrutinize warum weshalb "
     "wieso schlussfolgern schlussfolgerung untersuche untersuchen begrunde begrunden ursache ursachen ratsel "
     "auswirkungen folgen bewerte bewerten beurteile pourquoi raisonnement raisonner raisonne enigme razona "
     "razonamiento causa causas consecuencias acertijo implicaciones razonando",
     "justif analys analyz analiz analyt evalua evalue begrue argume",
     "root+cause step+by think+through think+hard think+carefully think+step schritt+fur etape+par por+que "
     "paso+a chain+of reason+about cause+profonde causa+raiz edge+cases edge+case what+if pas+a second+order",
     "为什 為什 为何 為何 推理 分析 论证 論證 逐步 评估 評估 逻辑 邏輯 原因 なぜ 何故 理由 評価 論理 推論 考察 "
     "段階 根本 谜题 影响 影響"},
    {Mark::compare,
     "contrast tradeoff tradeoffs versus vs difference differences advantages disadvantages drawbacks "
     "alternatives better unterschied unterschiede vorteile nachteile abwagen abwagung gegenuberstellung "
     "avantages inconvenients diferencia diferencias ventajas desventajas inconvenientes alternativas",
     "compar vergle", "trade+off trade+offs pros+and pros+cons weigh+up vor+und pour+et pros+y avantages+et",
     "比较 比較 对比 對比 区别 區別 优缺 優缺 权衡 違い 長所 短所 利弊 优劣"},
    {Mark::design,
     "design designs designing designed migrate migration migrations migrating blueprint build engineer "
     "prototype integrate strategy strategies roadmap scale scaling entwirf entwerfe entwerfen entwurf "
     "migriere conception strategie estrategia diseno construye construire concois cree pipeline workflow "
     "desing parallelize vectorize",
     "archit implem optimi refact scalab entwic konzip concev disena desarr algori",
     "system+design from+monolith test+plan zero+downtime at+scale",
     "设计 設計 实现 實現 优化 優化 架构 架構 算法 演算 重构 方案 実装 最適 構築 系统 迁移 移行 开发 開発"},
    {Mark::debug,
     "debug debugs bug bugs buggy error errors exception exceptions traceback stacktrace segfault segfaults "
     "segmentation deadlock deadlocks leak leaks leaking crash hangs stuck broken fails failing failure flaky "
     "bottleneck diagnose troubleshoot intermittent intermittently unexpected undefined fehler absturz sturzt "
     "bogue erreur erreurs plantage plante fallo falla depurar depura hangt",
     "debugg crashe nullpo",
     "race+condition memory+leak not+working doesn+t isn+t does+not stack+trace core+dump funktioniert+nicht "
     "no+funciona ne+marche ne+fonctionne wrong+result wrong+results",
     "报错 報錯 错误 錯誤 调试 調試 崩溃 异常 修复 死锁 バグ エラ デバ 例外 不具 泄漏 失败 失敗"},
    {Mark::explain,
     "explain explains explained explaining explanation describe describes plan planning schedule itinerary "
     "brainstorm recommend recommendation recommendations suggest suggestions outline advice advise improve "
     "discuss review elaborate tutorial guide teach understand works essay explane beschreibe erlautere "
     "erlautern planen empfehle empfiehl vorschlag verbessere diskutiere decris decrire decrivez planifie "
     "conseil conseille ameliore discute como planifica recomienda sugiere mejora consejo aufsatz ensayo "
     "dissertation",
     "erklar erklae explic expliq propos",
     "wie+funktioniert wie+kann wie+konnte how+does how+should how+would how+can comment+puis comment+faire "
     "comment+fonctionne comment+je lesson+plan best+way walk+me",
     "解释 解釋 説明 说明 計画 计划 建议 提案 描述 怎么 如何 教え どの 讨论 改善 论文 仕組"},
    {Mark::simple,
     "sumarize summerize sumary tldr traslate trasnlate tranlate classify classifies classification categorize "
     "label labels sentiment spelling spell spellcheck typo typos reformat convert converting list lists "
     "define definition bullet bullets headline headlines keywords keyword tag tags rename capitalize "
     "uppercase lowercase polish transcribe simplify condense tidy fasse zusammenfassen zusammenfassung "
     "zusammenfasse zusammengefasst formuliere umschreiben klassifiziere klassifizieren rechtschreibung liste "
     "nenne stichpunkte kategorisiere resumez resumer traduction reformule reformuler reformulez resumen "
     "resumir resume reescribe reescribir corrige lista clasifica corrigez traduis",
     "summar transl extrac rewrit rephra paraph catego proofr gramma shorte synony antony uberse uebers extrah "
     "umform korrig tradui extrai traduc extrae clasif corrig reword",
     "tl+dr bullet+points key+points main+points key+takeaways turn+this make+this fill+in main+idea "
     "in+english in+german in+french in+spanish auf+deutsch auf+englisch en+francais en+anglais en+ingles "
     "en+espanol change+the sort+the sort+these answer+yes yes+or true+or",
     "总结 總結 摘要 概括 翻译 翻譯 提取 改写 改寫 润色 分类 分類 纠正 列出 关键 要約 翻訳 抽出 言い 校正 まと "
     "列挙 訳し 要点"},
    {Mark::create,
     "write writing story poem haiku song lyrics blog email letter slogan tweet caption limerick post speech "
     "announcement newsletter invitation gedicht geschichte schreibe schreib schreiben mail poeme histoire "
     "lettre ecris ecrire ecrivez redige poema cuento carta correo escribe escribir redacta discours",
     "redact", "cover+letter birthday+card", "故事 诗歌 写一 作文 邮件 物語 俳句 書い 小説 小说 写文 写篇 寫文 寫篇 寫一"},
    {Mark::factual,
     "who whom whose when where which what whats capital captial captal population birthday born invented "
     "founded located tallest largest longest highest oldest biggest year meaning currency abbreviation "
     "acronym wer wann wo welche welcher welches hauptstadt einwohner wieviel wieviele bedeutet qui quand quel "
     "quelle quels quelles capitale combien signifie quien quando cuando donde cual cuales cuantos cuantas "
     "cuanto poblacion significa",
     "",
     "how+many how+much was+ist was+sind que+es qu+est what+is how+old how+tall how+far how+long wie+viele "
     "wie+hoch wie+heisst wie+viel wie+alt",
     "什么 什麼 谁是 哪里 哪裡 哪个 首都 多少 何时 几个 何で 誰が いつ どこ 何人 いく 人口 何時 何年 哪年 哪一"},
    {Mark::small_talk,
     "joke hello hi hey thanks thank thx bye goodbye lol haha ok okay cool nice welcome morning evening hallo "
     "danke tschuss servus moin bonjour salut merci coucou hola gracias adios buenos buenas yes no yep nope "
     "sure great perfect ja nein oui si",
     "", "how+are what+s good+morning good+night guten+tag guten+morgen wie+geht ca+va que+tal",
     "你好 您好 谢谢 謝謝 再见 早上 にち がと おは 元気 好的"},
    {Mark::code,
     "python javascript typescript java rust golang kotlin swift php ruby perl bash shell sql mysql sqlite "
     "mongodb redis html css react angular vue django flask node nodejs npm docker kubernetes k8s terraform "
     "github gitlab regex regexp api apis endpoint backend frontend function functions method methods class "
     "variable variables code coding codebase script scripts query queries database databases unittest pytest "
     "pandas numpy pytorch tensorflow lambda async await thread threads mutex malloc pointer pointers std "
     "const struct def import void printf println iostream programming program cuda linux kafka graphql grpc "
     "json yaml csv webhook oauth jwt websocket coroutine coroutines haskell scala erlang cpp stdin stdout "
     "argparse goroutine goroutines select groupby hashmap linkedlist leetcode programm programmiere funktion "
     "funktionen skript datenbank abfrage fonction fonctions requete codigo funcion programa consulta",
     "postgr compil javasc", "unit+test unit+tests pull+request stored+procedure linked+list binary+tree hash+map",
     "代码 代碼 函数 函數 程序 编程 数据 関数 脚本 接口"},
    {Mark::maths,
     "integral integrals derivative derivatives matrix matrices probability probabilities prime primes modulo "
     "mod algebra geometry geometric triangle hypotenuse vector vectors tensor topology integer integers "
     "rational irrational solve solves solving combinatorics permutation permutations convergence converges "
     "converge bayesian bayes variance sqrt sin cos tan expectation gradient differential polynomial cube "
     "roots summation modular divisible divisor compute exponent remainder axiom axioms bijection isomorphism "
     "homomorphism abelian gleichung gleichungen wahrscheinlichkeit primzahl primzahlen berechne berechnen "
     "losung teilbar unendlich probabilite resous premiers infinite infinitely ecuacion ecuaciones resolver "
     "probabilidad primos entiers nombres ganze zahlen enteros",
     "equati eigenv calcul trigon manifo intege logari permut asympt stocha hamilt inequa polyno resoud resuel "
     "irrati",
     "standard+deviation differential+equation expected+value closed+form",
     "方程 积分 積分 导数 矩阵 概率 素数 质数 求解 计算 計算 微分 行列 確率 数列 无理 無理 整数 极限 証数"},
    {Mark::expert,
     "multithreaded multithreading concurrency backoff shutdown observability security distributed consensus "
     "paxos raft relativity prognosis liability statute gdpr hipaa tort negligence plaintiff defendant "
     "precedent constitutional econometric kinetics microservice microservices latency throughput sharding "
     "sharded replication lockfree valuation hedging contract clause clauses indemnification arbitration "
     "compliance regulatory cryptography cryptographic symptoms comorbidities dosage contraindications "
     "pharmacokinetics consistency verteilt verteilte verteiltes verteilten haftung vertrag distribue "
     "distribuee juridique responsabilite contrat diagnostic distribuido distribuida juridico responsabilidad "
     "contrato jurisprudencia multi tenant kernel availability",
     "concur thermo quantu pathop diagno jurisd litiga macroe bioche pharma neurot episte idempo nondet amorti "
     "rechtl eventu",
     "time+complexity space+complexity fault+tolerant fault+tolerance lock+free game+theory event+sourcing "
     "exactly+once side+effects case+law rate+limiter load+balancer high+availability",
     "分布 并发 量子 法律 诊断 合同 分散 並行 法的 診断 契約 一致 高可 高并"},
    {Mark::constraint,
     "must only exactly without ensure ensuring require requires required requirements requirement constraint "
     "constraints avoid never cannot satisfy satisfies satisfying guarantee guarantees assume assuming suppose "
     "given unless except muss mussen darf durfen mindestens hochstens ohne genau ausschliesslich doit doivent "
     "exactement sans uniquement debe deben exactamente solo unicamente garantiza sicherstellen garantieren",
     "",
     "at+least at+most no+more must+not do+not make+sure subject+to such+that so+that au+moins au+plus "
     "al+menos como+maximo",
     "必须 必須 不能 不得 至少 最多 确保 確保 要求 限制 必ず 以内 以上 以下 制約 条件 ただ 满足 滿足"},
    {Mark::step,
     "first then next finally afterwards subsequently lastly additionally furthermore steps step phases phase "
     "zuerst dann danach anschliessend schliesslich ausserdem zunachst abord puis ensuite enfin primero luego "
     "despues finalmente ademas entonces both each",
     "", "and+then as+well after+that", "首先 然后 然後 最后 接着 其次 まず 次に 最後 その 并且"},
    {Mark::deep,
     "detailed detail thorough thoroughly comprehensive exhaustive nuanced carefully complete sophisticated "
     "advanced ausfuhrlich ausfuhrliche ausfuhrlichen detailliert detaillierte grundlich umfassend detaille "
     "detaillee approfondi approfondie rigoureuse detallado detallada exhaustivo exhaustiva profundidad "
     "vollstandig vollstandigen",
     "", "in+depth long+form deep+dive", "详细 詳細 深入 全面 詳し 徹底 完整"},
    {Mark::brief,
     "brief briefly short shortly concise concisely quick quickly simple simply kurz kurze kurzen knapp "
     "einfach bref breve brievement brevemente courte conciso concis simplement sencillo corto just",
     "", "one+sentence one+word two+sentences single+word few+words in+short one+line",
     "简短 简单 簡單 一句 簡単 短く 一言 简要"},
    {Mark::unit_words, "words word wort worter worten mots palabras", "", "", ""},
    {Mark::unit_pages, "pages page seiten paginas", "", "", ""},
    {Mark::quantity,
     "every half twice thrice double triple total times more less fewer most least percent percentage rest "
     "remaining left altogether average per dozen pair pairs quarter third fifth sum combined equally cost "
     "costs price earn earns pay pays paid spend spends spent buy buys bought sell sells sold save saves "
     "saved hours minutes seconds days weeks months dollars cents euros miles km kg liters gallons feet "
     "inches meters jede jeder jedes doppelt halfte insgesamt prozent durchschnitt stunden minuten tage "
     "chaque moitie fois pourcent moyenne heures jours cada doble mitad veces porciento promedio horas "
     "dias",
     "", "", ""},
    {Mark::condition,
     "if whether whenever until while although however otherwise consider let denote provided case cases "
     "wenn falls angenommen sofern sei seien supposons soit lorsque supongamos sea sean",
     "", "", ""},
    {Mark::negation,
     "not nor neither none nobody nothing false incorrect untrue unlike isn aren wasn doesn don didn won "
     "wouldn couldn shouldn nicht kein keine niemand nie ne pas aucun jamais nunca ningun ninguna tampoco",
     "", "", ""},
    {Mark::person,
     "i he she him her his hers himself herself my mine me we our us you your they them their man woman "
     "boy girl friend friends mother father brother sister wife husband son daughter teacher student "
     "students children child people someone er sie ihr mein il elle mon ma mes ella mi",
     "", "", ""},
    {Mark::calculate,
     "find value values area perimeter volume distance speed rate ratio angle radius diameter length width "
     "height slope root mean median interest profit discount amount estimate approximate approximately "
     "round factor evaluate graph curve limit maximum minimum maximize minimize coefficient count number "
     "numbers digit digits proportion fraction sample confidence",
     "", "", ""},
    {Mark::science,
     "energy force mass velocity momentum acceleration temperature pressure density reaction acid base "
     "electron electrons proton ion ions atom atoms molecule molecules molar moles solution equilibrium "
     "enthalpy entropy current voltage resistance circuit capacitor inductor magnetic electric field wave "
     "wavelength frequency photon gas liquid heat steam engine turbine beam stress strain friction gravity "
     "orbit lens oxygen hydrogen carbon nitrogen sodium cell cells protein proteins enzyme gene genes dna "
     "rna allele membrane bacteria virus energie kraft masse geschwindigkeit temperatur druck stoff "
     "energia fuerza masa velocidad temperatura presion vitesse pression",
     "", "", ""},
    {Mark::culture,
     "actor actress film films movie movies tv show singer songs album band series season episode novel "
     "author book character played plays player team football soccer baseball basketball olympic champion "
     "award king queen president war battle city country state river mountain island died famous named "
     "called museum painter painting composer opera game games star stars wrote sang directed released "
     "club league cup schauspieler sanger konig krieg acteur chanteur roi guerre rey guerra pelicula "
     "cancion",
     "", "", ""},
    {Mark::statement,
     "statement statements argument arguments claim claims true valid invalid premise premises conclusion "
     "follows proposition propositions sentence symbolization symbolize predicate contrary wrong moral "
     "morally action scenario scenarios evidence theory theories view according principle aussage aussagen "
     "wahr falsch enonce vrai faux afirmacion verdadero falso",
     "", "", ""},
    {Mark::certain,
     "unique uniquely uniqueness optimality impossible impossibility undecidable decidable necessary "
     "sufficient suffices invariant invariants bound bounds tight correctness soundness completeness "
     "linearizable linearizability adversarial adversary interleaving interleavings characterise "
     "characterize characterisation characterization hold holds precisely "
     "eindeutig eindeutigkeit unmoglich notwendig hinreichend schranke schranken fallunterscheidung "
     "luckenlos unicite necessaire suffisante suffisant borne unicidad imposible necesaria suficiente cota",
     "optima", "no+other no+others find+all for+every for+all only+if cannot+be lower+bound upper+bound "
     "best+possible every+case all+cases by+cases beyond+doubt each+step every+step one+solution "
     "keine+andere jeden+schritt jeder+schritt fur+jedes fur+alle chaque+etape pour+tout cada+paso "
     "para+todo no+hay",
     "唯一 最优 下界 上界 界限 必要 充分 每步 步骤 分情 逐一 任意 所有 一意 十分 各段 場合 すべ"},
    {Mark::weigh,
     "weigh weighs weighed weighing risk risks risky assumption assumptions uncertain uncertainty criteria "
     "criterion objection objections rank ranked ranking feasible mitigation mitigations mitigate residual "
     "sensitivity rationale decide decides decision decisions defend position stance priorities priority "
     "sequence interplay interact interacts depends dependencies dependency "
     "conflicting contradict contradicts contradictions contradicting plausible confounders bias robust "
     "counterargument counterarguments stakeholders consequence timeline milestones rollback fallback "
     "risiko risiken annahme annahmen szenario szenarien kriterien entscheide entscheidung widerspruche "
     "widersprechen einwand einwande prioritat prioritaten reihenfolge gewichte risque risques hypothese "
     "criteres priorite priorites riesgo riesgos supuesto supuestos escenario escenarios criterios "
     "prioridades contradicciones",
     "", "break+even take+a what+would which+first in+which",
     "风险 風險 假设 標準 标准 决定 依据 不确 矛盾 取舍 优先 危険 リス 仮定 基準 判断 根拠 優先 順序"},
};

inline constexpr std::string_view latex_commands =
    "frac sqrt sum int lim prod mathbb mathcal mathrm mathbf forall exists infty partial nabla cdot times leq geq neq "
    "le ge "
    "alpha beta gamma delta epsilon varepsilon theta lambda mu sigma omega phi varphi pi rho tau zeta begin end equiv "
    "pmod "
    "bmod mid in notin subset subseteq cup cap to rightarrow implies iff left right ldots cdots dots binom overline "
    "vec hat "
    "tilde text operatorname log ln sin cos tan exp det max min sup inf oint iint approx sim otimes oplus circ langle "
    "rangle "
    "quad pm mp ne neg land lor dfrac tfrac";

}  // namespace tollgate

-- A ledger as the first program made it (schema 1), by sqlite3's .dump: 15 requests, one of them unpriced.
PRAGMA application_id=1416588396;
PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE name (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO name VALUES(1,'');
INSERT INTO name VALUES(2,'gpu');
INSERT INTO name VALUES(3,'llama');
INSERT INTO name VALUES(4,'gpu/llama');
INSERT INTO name VALUES(5,'managed');
INSERT INTO name VALUES(6,'large');
INSERT INTO name VALUES(7,'managed/large');
INSERT INTO name VALUES(8,'embed');
INSERT INTO name VALUES(9,'managed/embed');
INSERT INTO name VALUES(10,'phi-stays-home');
INSERT INTO name VALUES(11,'auto');
INSERT INTO name VALUES(12,'other');
INSERT INTO name VALUES(13,'direct');
INSERT INTO name VALUES(14,'ok');
INSERT INTO name VALUES(15,'upstream_garbage');
INSERT INTO name VALUES(16,'upstream_busy');
CREATE TABLE run_name (
  process_id INTEGER PRIMARY KEY,
  name INTEGER NOT NULL
) STRICT;
INSERT INTO run_name VALUES(0,1);
INSERT INTO run_name VALUES(1,2);
INSERT INTO run_name VALUES(2,3);
INSERT INTO run_name VALUES(3,4);
INSERT INTO run_name VALUES(4,5);
INSERT INTO run_name VALUES(5,6);
INSERT INTO run_name VALUES(6,7);
INSERT INTO run_name VALUES(7,8);
INSERT INTO run_name VALUES(8,9);
INSERT INTO run_name VALUES(9,10);
INSERT INTO run_name VALUES(10,11);
INSERT INTO run_name VALUES(11,12);
INSERT INTO run_name VALUES(12,13);
CREATE TABLE request (
  id INTEGER PRIMARY KEY,
  arrived_us INTEGER NOT NULL,      -- since 1970
  duration_us INTEGER NOT NULL,
  model INTEGER NOT NULL, route INTEGER NOT NULL, team INTEGER NOT NULL, key INTEGER NOT NULL, target INTEGER NOT NULL,
  complexity_ppm INTEGER NOT NULL,
  tier INTEGER NOT NULL,            -- 0 SIMPLE 1 MEDIUM 2 COMPLEX 3 REASONING
  surface INTEGER NOT NULL,         -- 0 chat 1 completions 2 embeddings
  flags INTEGER NOT NULL,           -- 1 stream, 2 recovered
  result INTEGER NOT NULL,          -- a name
  http_status INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  input_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO request VALUES(249726154783588352,1795228954988289,22868,11,11,1,1,4,64163,0,0,0,14,200,1,69);
INSERT INTO request VALUES(249726154880073728,1795228955011704,22798,11,11,1,1,4,64163,0,0,0,14,200,1,69);
INSERT INTO request VALUES(249726154980720640,1795228955035289,23513,11,11,1,1,4,64163,0,0,0,14,200,1,69);
INSERT INTO request VALUES(249726155081400320,1795228955059864,23204,11,11,1,1,4,64163,0,0,0,14,200,1,69);
INSERT INTO request VALUES(249726155182063616,1795228955083234,22645,11,11,1,1,4,64163,0,0,0,14,200,1,69);
INSERT INTO request VALUES(249726155278516224,1795228955106502,39493,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726155446288384,1795228955146170,39277,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726155609866240,1795228955185639,39202,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726155777638400,1795228955225039,39272,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726155941216256,1795228955264509,39222,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726156104810496,1795228955303755,39525,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726156272582656,1795228955343468,39401,7,13,1,1,7,64163,0,0,0,14,200,1,78);
INSERT INTO request VALUES(249726156440338432,1795228955383057,39237,7,13,1,1,7,208726,0,0,0,14,200,1,117);
INSERT INTO request VALUES(249726156608126976,1795228955423148,39184,7,13,1,1,7,194330,0,0,0,15,502,1,95);
INSERT INTO request VALUES(249726156771704832,1795228955462589,903,7,13,1,1,7,198291,0,0,0,16,503,1,98);
CREATE TABLE attempt (
  request INTEGER NOT NULL,
  number INTEGER NOT NULL,
  target INTEGER NOT NULL,
  result INTEGER NOT NULL,
  http_status INTEGER NOT NULL,
  usage_source INTEGER NOT NULL,    -- 0 none 1 estimated 2 continuous 3 exact
  pool_method INTEGER NOT NULL,     -- 0 none 1 time
  pricing INTEGER NOT NULL,         -- 0 priced 1 unpriced 2 not_billed
  started_after_us INTEGER NOT NULL,  -- after the request arrived; so the next two
  first_token_after_us INTEGER,
  ended_after_us INTEGER NOT NULL,
  input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL, output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  input_pusd INTEGER NOT NULL, cached_input_pusd INTEGER NOT NULL, cache_write_pusd INTEGER NOT NULL,
  output_pusd INTEGER NOT NULL, request_pusd INTEGER NOT NULL, gpu_pusd INTEGER NOT NULL,
  PRIMARY KEY (request, number)
) STRICT, WITHOUT ROWID;
INSERT INTO attempt VALUES(249726154783588352,1,4,14,200,3,1,0,171,22782,22783,8,0,0,12,0,0,0,0,0,0,31280145);
INSERT INTO attempt VALUES(249726154880073728,1,4,14,200,3,1,0,104,22726,22727,8,0,0,12,0,0,0,0,0,0,31294840);
INSERT INTO attempt VALUES(249726154980720640,1,4,14,200,3,1,0,74,22881,22882,8,0,0,12,0,0,0,0,0,0,31551461);
INSERT INTO attempt VALUES(249726155081400320,1,4,14,200,3,1,0,64,22527,22528,8,0,0,12,0,0,0,0,0,0,31075716);
INSERT INTO attempt VALUES(249726155182063616,1,4,14,200,3,1,0,57,22598,22599,8,0,0,12,0,0,0,0,0,0,31183724);
INSERT INTO attempt VALUES(249726155278516224,1,7,14,200,3,0,0,134,38869,38870,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726155446288384,1,7,14,200,3,0,0,58,38687,38688,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726155609866240,1,7,14,200,3,0,0,60,38678,38679,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726155777638400,1,7,14,200,3,0,0,60,38705,38706,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726155941216256,1,7,14,200,3,0,0,61,38642,38643,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726156104810496,1,7,14,200,3,0,0,87,38884,38885,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726156272582656,1,7,14,200,3,0,0,63,38692,38694,8,0,0,20,0,20000000,0,0,200000000,0,0);
INSERT INTO attempt VALUES(249726156440338432,1,7,14,200,1,0,0,81,39163,39164,12,0,0,23,0,30000000,0,0,230000000,0,0);
INSERT INTO attempt VALUES(249726156608126976,1,7,15,200,0,0,1,76,NULL,38648,0,0,0,0,0,0,0,0,0,0,0);
INSERT INTO attempt VALUES(249726156771704832,1,7,16,503,0,0,2,71,NULL,557,0,0,0,0,0,0,0,0,0,0,0);
CREATE VIEW requests AS SELECT 'req_'||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>60)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>55)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>50)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>45)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>40)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>35)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>30)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>25)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>20)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>15)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>10)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>5)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((r.id>>0)&31)+1,1) AS request, strftime('%Y-%m-%dT%H:%M:%S',r.arrived_us/1000000,'unixepoch')||printf('.%06dZ',r.arrived_us%1000000) AS arrived, r.duration_us, (SELECT text FROM name WHERE name.id=r.model) AS model, (SELECT text FROM name WHERE name.id=r.route) AS route, (SELECT text FROM name WHERE name.id=r.team) AS team, (SELECT text FROM name WHERE name.id=r.key) AS "key", (SELECT text FROM name WHERE name.id=r.target) AS target, printf('%d.%06d', r.complexity_ppm/1000000, r.complexity_ppm%1000000) AS complexity, CASE r.tier WHEN 0 THEN 'SIMPLE' WHEN 1 THEN 'MEDIUM' WHEN 2 THEN 'COMPLEX' ELSE 'REASONING' END AS tier, CASE r.surface WHEN 0 THEN 'chat' WHEN 1 THEN 'completions' ELSE 'embeddings' END AS surface, r.flags&1 AS stream, (r.flags>>1)&1 AS recovered, (SELECT text FROM name WHERE name.id=r.result) AS result, r.http_status, r.attempts, r.input_bytes, (SELECT coalesce(sum(a.input+a.cached_input+a.cache_write),0) FROM attempt a WHERE a.request=r.id) AS input_tokens, (SELECT coalesce(sum(a.output),0) FROM attempt a WHERE a.request=r.id) AS output_tokens, CASE WHEN EXISTS(SELECT 1 FROM attempt a WHERE a.request=r.id AND a.pricing=1) THEN NULL ELSE printf('%s%d.%012d', iif(((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))<0,'-',''), abs((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))/1000000000000, abs((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))%1000000000000) END AS usd, printf('%s%d.%012d', iif(((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))<0,'-',''), abs((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))/1000000000000, abs((SELECT coalesce(sum(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd),0) FROM attempt a WHERE a.request=r.id))%1000000000000) AS usd_known, r.id FROM request r;
CREATE VIEW attempts AS SELECT 'req_'||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>60)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>55)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>50)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>45)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>40)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>35)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>30)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>25)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>20)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>15)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>10)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>5)&31)+1,1)||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((a.request>>0)&31)+1,1) AS request, a.number, (SELECT text FROM name WHERE name.id=a.target) AS target, (SELECT text FROM name WHERE name.id=a.result) AS result, a.http_status, CASE a.usage_source WHEN 0 THEN 'none' WHEN 1 THEN 'estimated' WHEN 2 THEN 'continuous' ELSE 'exact' END AS usage_source, CASE a.pool_method WHEN 0 THEN 'none' ELSE 'time' END AS pool_method, CASE a.pricing WHEN 0 THEN 'priced' WHEN 1 THEN 'unpriced' ELSE 'not_billed' END AS pricing, strftime('%Y-%m-%dT%H:%M:%S',(r.arrived_us+a.started_after_us)/1000000,'unixepoch')||printf('.%06dZ',(r.arrived_us+a.started_after_us)%1000000) AS started, a.ended_after_us-a.started_after_us AS duration_us, a.first_token_after_us-a.started_after_us AS first_token_us, a.input, a.cached_input, a.cache_write, a.output, a.reasoning, CASE a.pricing WHEN 1 THEN NULL ELSE printf('%s%d.%012d', iif((a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd)<0,'-',''), abs(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd)/1000000000000, abs(a.input_pusd+a.cached_input_pusd+a.cache_write_pusd+a.output_pusd+a.request_pusd+a.gpu_pusd)%1000000000000) END AS usd, printf('%s%d.%012d', iif((a.input_pusd)<0,'-',''), abs(a.input_pusd)/1000000000000, abs(a.input_pusd)%1000000000000) AS usd_input, printf('%s%d.%012d', iif((a.cached_input_pusd)<0,'-',''), abs(a.cached_input_pusd)/1000000000000, abs(a.cached_input_pusd)%1000000000000) AS usd_cached_input, printf('%s%d.%012d', iif((a.cache_write_pusd)<0,'-',''), abs(a.cache_write_pusd)/1000000000000, abs(a.cache_write_pusd)%1000000000000) AS usd_cache_write, printf('%s%d.%012d', iif((a.output_pusd)<0,'-',''), abs(a.output_pusd)/1000000000000, abs(a.output_pusd)%1000000000000) AS usd_output, printf('%s%d.%012d', iif((a.request_pusd)<0,'-',''), abs(a.request_pusd)/1000000000000, abs(a.request_pusd)%1000000000000) AS usd_request, printf('%s%d.%012d', iif((a.gpu_pusd)<0,'-',''), abs(a.gpu_pusd)/1000000000000, abs(a.gpu_pusd)%1000000000000) AS usd_gpu, a.request AS request_id FROM attempt a JOIN request r ON r.id=a.request;
COMMIT;

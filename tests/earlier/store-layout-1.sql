PRAGMA application_id = 1380994132;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE dirty (
            ordinal INTEGER PRIMARY KEY,
            entity TEXT NOT NULL,
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            version INTEGER NOT NULL CHECK (typeof(version) = 'integer'),
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL CHECK (typeof("offset") = 'integer'),
            key BLOB CHECK (typeof(key) IN ('blob', 'null')),
            value BLOB CHECK (typeof(value) IN ('blob', 'null')),
            headers TEXT NOT NULL,
            timestamp_ms INTEGER CHECK (typeof(timestamp_ms) IN ('integer', 'null')),
            snapshot INTEGER NOT NULL CHECK (snapshot IN (0, 1)),
            committed_ms INTEGER CHECK (typeof(committed_ms) IN ('integer', 'null'))
        );
INSERT INTO "dirty" VALUES(1,'orders','0',1,1,0,X'7B226964223A317D',X'7B226964223A317D','[["__debezium.context.taskId","\u0000ÿ"],["empty",null]]',1700000000000,0,0);
INSERT INTO "dirty" VALUES(2,'orders','1',2,1,1,X'7B226964223A317D',X'7B226964223A317D','[["__debezium.context.taskId","\u0000ÿ"],["empty",null]]',1700000000001,0,1);
CREATE TABLE firsts (
            ordinal INTEGER NOT NULL,
            partition INTEGER NOT NULL,
            first INTEGER NOT NULL CHECK (typeof(first) = 'integer'),
            later INTEGER CHECK (typeof(later) IN ('integer', 'null')),
            PRIMARY KEY (ordinal, partition)
        ) WITHOUT ROWID;
INSERT INTO "firsts" VALUES(1,1,0,NULL);
INSERT INTO "firsts" VALUES(2,1,1,NULL);
CREATE TABLE meta (id TEXT NOT NULL, meaning TEXT NOT NULL);
INSERT INTO "meta" VALUES('fd501baa2ba212e5','d41d8cd9');
CREATE TABLE parents (
            entity TEXT NOT NULL,
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            id TEXT NOT NULL CHECK (typeof(id) = 'text'),
            there INTEGER NOT NULL CHECK (there IN (0, 1, 2)),
            held TEXT NOT NULL,
            retired TEXT NOT NULL,
            PRIMARY KEY (entity, parent)
        ) WITHOUT ROWID;
INSERT INTO "parents" VALUES('orders','0','0',2,'[["P-1","S-1"]]','[]');
INSERT INTO "parents" VALUES('orders','1','1',2,'[["P-1","S-1"]]','[]');
CREATE TABLE progress (
            partition INTEGER PRIMARY KEY,
            topic TEXT NOT NULL CHECK (typeof(topic) = 'text'),
            number INTEGER NOT NULL CHECK (typeof(number) = 'integer'),
            position INTEGER CHECK (typeof(position) IN ('integer', 'null'))
        );
INSERT INTO "progress" VALUES(1,'shop.orders',0,2);
CREATE TABLE rows (
            source INTEGER NOT NULL CHECK (typeof(source) = 'integer'),
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            key TEXT NOT NULL CHECK (typeof(key) = 'text'),
            body BLOB NOT NULL CHECK (typeof(body) = 'blob'),
            position TEXT,
            PRIMARY KEY (source, parent, key)
        ) WITHOUT ROWID;
INSERT INTO "rows" VALUES(0,'','0',X'7B224F726465724964223A2230227D','[0,"0000"]');
INSERT INTO "rows" VALUES(0,'','1',X'7B224F726465724964223A2231227D','[1,"0000"]');
INSERT INTO "rows" VALUES(1,'0','0',X'7B22536B75223A22532D30227D','[0,"0001"]');
INSERT INTO "rows" VALUES(1,'0','1',X'7B22536B75223A22532D31227D','[0,"0001"]');
INSERT INTO "rows" VALUES(1,'0','2',X'7B22536B75223A22532D32227D','[0,"0001"]');
INSERT INTO "rows" VALUES(1,'1','3',X'7B22536B75223A22532D30227D','[1,"0001"]');
INSERT INTO "rows" VALUES(1,'1','4',X'7B22536B75223A22532D31227D','[1,"0001"]');
INSERT INTO "rows" VALUES(1,'1','5',X'7B22536B75223A22532D32227D','[1,"0001"]');
CREATE UNIQUE INDEX row_keys ON rows (source, key);
CREATE INDEX parent_ids ON parents (entity, id);
CREATE UNIQUE INDEX dirty_parents ON dirty (entity, parent);
CREATE INDEX dirty_entities ON dirty (entity, ordinal);
CREATE INDEX first_offsets ON firsts (partition, first);
COMMIT;

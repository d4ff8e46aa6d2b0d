//! MySQL and MariaDB pass the suite, and carry every type.

mod common;

use std::net::SocketAddr;

use async_trait::async_trait;
use reenact_model::catalog::Scope;
use reenact_model::{Dsn, FieldPath, Kind};
use reenact_stores::conformance::{self, Ground, sql};
use reenact_stores::sql::mysql::Mysql;
use reenact_stores::{Read, Selection, Store};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use crate::common::Server;

const TABLES: &str = "
    SET time_zone = '+00:00';
    CREATE TABLE item (sku varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, price decimal(10,2),
        label varchar(40) CHARACTER SET utf8mb4 GENERATED ALWAYS AS (upper(sku)) STORED);
    CREATE TABLE line (order_no bigint, pos smallint, sku varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        PRIMARY KEY (order_no, pos), CONSTRAINT line_item FOREIGN KEY (sku) REFERENCES item (sku));
    CREATE TABLE team (id int PRIMARY KEY, name text CHARACTER SET utf8mb4, lead_id int NOT NULL);
    CREATE TABLE person (id int AUTO_INCREMENT PRIMARY KEY, name text CHARACTER SET utf8mb4, email varchar(80) UNIQUE,
        boss_id int, team_id int, CONSTRAINT boss FOREIGN KEY (boss_id) REFERENCES person (id),
        CONSTRAINT `the team` FOREIGN KEY (team_id) REFERENCES team (id));
    ALTER TABLE team ADD FOREIGN KEY (lead_id) REFERENCES person (id);
    CREATE TABLE part (id int PRIMARY KEY, order_no bigint, pos smallint,
        CONSTRAINT part_line FOREIGN KEY (order_no, pos) REFERENCES line (order_no, pos));
    CREATE TABLE log (at datetime(3), note text);
    CREATE VIEW people AS SELECT * FROM person;
";

struct Shop<'a>(&'a Server);

#[async_trait]
impl Ground for Shop<'_> {
    fn store(&self) -> &'static dyn Store {
        &Mysql
    }

    async fn sample(&self) -> Dsn {
        self.0.with_tables(&format!("{TABLES} {}", sql::rows("\\\\"))).await
    }

    async fn empty(&self) -> Dsn {
        self.0.database().await
    }

    async fn change(&self, dsn: &Dsn) {
        self.0
            .run(dsn, "INSERT INTO person (name) VALUES ('new'); UPDATE person SET name = 'other' WHERE id = 2")
            .await;
    }

    fn at(&self, address: SocketAddr) -> Option<Dsn> {
        Some(Dsn::new(format!("mysql://nobody:canary@{address}/none")))
    }

    fn shut(&self, sample: &Dsn) -> Vec<Dsn> {
        self.0.shut(sample)
    }
}

#[async_trait]
impl sql::SqlGround for Shop<'_> {
    async fn execute(&self, dsn: &Dsn, sql: &str) {
        self.0.run(dsn, sql).await;
    }

    fn dangle(&self) -> String {
        "SET foreign_key_checks = 0; INSERT INTO part VALUES (900, 77, 1)".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_passes_the_suite() {
    Server::with(Kind::Mysql, async |server| sql::run(&Shop(server)).await).await;
}

const TYPES: &str = "
    SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
    CREATE TABLE `T ``q` (id int AUTO_INCREMENT PRIMARY KEY, ti tinyint, tu tinyint unsigned, su smallint unsigned, mu mediumint unsigned,
        iu int unsigned, bi bigint, bu bigint unsigned, z int(5) zerofill, bo bool, bits bit(64), de decimal(65,30), f float, d double,
        c char(5), v varchar(20) CHARACTER SET utf8mb4, l1 varchar(20) CHARACTER SET latin1, tx longtext CHARACTER SET utf8mb4,
        b binary(4), vb varbinary(20), bl longblob, da date, dt datetime(6), ts timestamp(3) NULL, tm time(2), y year,
        e enum('a','it''s','x,y'), s set('p','q','r'), j json, g geometry, made varchar(20) DEFAULT (concat('a', 'b')),
        twice int GENERATED ALWAYS AS (id * 2) VIRTUAL);
    INSERT INTO `T ``q` (id, ti, tu, su, mu, iu, bi, bu, z, bo, bits, de, f, d, c, v, l1, tx, b, vb, bl, da, dt, ts, tm, y, e, s, j, g)
    VALUES (0, -128, 255, 65535, 16777215, 4294967295, -9223372036854775808, 18446744073709551615, 42, true,
        b'1111111111111111111111111111111111111111111111111111111111111111', 12345678901234567890.000000000000000000000000000100,
        1.1, 0.1, 'ab', '☃ it''s', 'Zoë', 'a\\0b\\n\\\\', 'ab', x'00ff', x'', '0000-00-00', '2020-00-00 12:00:00.000100',
        '2021-01-01 00:00:00.500', '-838:59:59.25', 0, 'it''s', 'p,r', '{\"b\": 1,  \"a\":1.50}', ST_GeomFromText('POINT(1 -2.5)', 4326)),
    (2, 127, 0, 0, 0, 0, 0, 0, 0, false, b'0', -0.1, -3.4e38, 1e300, '', '', '', '', '', '', x'5c', '2021-02-31', '9999-12-31 23:59:59.999999',
        '1970-01-01 00:00:01', '00:00:00', 2155, 'none of these', '', '[]', NULL);
    INSERT INTO `T ``q` (id) VALUES (3);
";

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_was() {
    Server::with(Kind::Mysql, async |server| {
        let scope = Scope { service: "s".into(), ..Scope::default() };
        let (from, to) = (server.with_tables(TYPES).await, server.database().await);
        let catalog = conformance::round_trip(&Mysql, &scope, &from, &to).await.expect("a round trip");
        let table = &catalog.entities[0];
        // The server's own account of every row, not ours.
        // The number of an `ENUM` tells its label 0 from a label that is empty.
        let texts = table.fields.iter().map(|f| format!("coalesce(hex(`{}`), '-')", f.name));
        let numbers = ["e", "bits", "f", "d"].map(|name| format!("coalesce(`{name}` + 0e0, '-')"));
        let cells: Vec<String> = texts.chain(numbers).collect();
        let sql =
            format!("SELECT cast(group_concat(concat_ws('|', {}) ORDER BY id) AS char) FROM `T ``q`", cells.join(", "));
        let dump = async |dsn: &Dsn| {
            let mut connection = MySqlConnection::connect(dsn.expose()).await.expect("connects");
            sqlx::raw_sql("SET group_concat_max_len = 1000000").execute(&mut connection).await.expect("runs");
            sqlx::query_scalar::<_, String>(AssertSqlSafe(sql.clone()))
                .fetch_one(&mut connection)
                .await
                .expect("a dump")
        };
        assert_eq!(dump(&from).await, dump(&to).await);
        let source = Mysql.source(&from, &scope).await.expect("opens");
        for field in table.fields.iter().filter(|field| !matches!(field.name.as_str(), "g" | "j")) {
            let keys = conformance::keys(&*source, conformance::everything(table), &[FieldPath::column(&field.name)])
                .await
                .unwrap_or_default();
            for key in keys {
                let selection = Selection::Where(vec![(FieldPath::column(&field.name), key.parts()[0].to_string())]);
                let found = conformance::count(&*source, Read { selection, ..conformance::everything(table) }).await;
                assert!(found.expect("reads") >= 1, "{} as {}", field.name, field.native);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_narrow_a_column_or_are_told_by_name() {
    Server::with(Kind::Mysql, async |server| {
        let scope = Scope { service: "s".into(), ..Scope::default() };
        let sql =
            "CREATE TABLE t (id int CHECK (id between 1 and 9), state varchar(9) CHECK (state IN ('new', 'it''s')),
            code text CHECK (char_length(code) <= 6), size text CHECK (length(size) <= 6), j json,
            price decimal(8,2), a int, b int, CONSTRAINT positive CHECK (price > 0), CONSTRAINT ordered CHECK (a < b))";
        let dsn = server.with_tables(sql).await;
        let catalog = Mysql.source(&dsn, &scope).await.expect("opens").describe().await.expect("describes");
        let bound = |f: &reenact_model::Field| {
            let range = f.range.filter(|range| *range != (i32::MIN.into(), i32::MAX.into()));
            let (values, most) = (f.values.as_deref().unwrap_or_default(), f.max_chars.unwrap_or_default());
            format!("{} {range:?} {values:?} {most} {:?}", f.name, f.checks)
        };
        let told: Vec<String> = catalog.entities[0].fields.iter().map(bound).collect();
        let expected = [
            "id Some((1, 9)) [] 0 []",
            r#"state None ["new", "it's"] 9 []"#,
            "code None [] 6 []",
            r#"size None [] 0 ["size"]"#,
            "j None [] 0 []",
            r#"price None [] 0 ["positive"]"#,
            r#"a None [] 0 ["ordered"]"#,
            r#"b None [] 0 ["ordered"]"#,
        ];
        assert_eq!(told, expected);
    })
    .await;
}

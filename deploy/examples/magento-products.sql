-- Magento 2 products for Replenit: an outbox table that Debezium captures.
--
-- Why: a product's fields lie in attribute tables (catalog_product_entity_varchar, _int, _decimal, _datetime), one
-- row a value and store view, and Debezium captures tables, not views. This script adds ONE table, ONE procedure and
-- ONE event beside Magento's own tables. It changes nothing of Magento and adds no trigger. Removal: the last three
-- lines.
--
-- The event computes every product's document for one store view, compares it with what the table holds and writes
-- only rows that differ, so an unchanged catalogue writes nothing to the binary log. A product that is gone, or no
-- longer in the website, is deleted. An attribute's value is the store view's where the view has a row of its own
-- (even one that is NULL), else the default's (store 0).
--
-- A configurable product's variants are its simple products. That is how Magento writes order items too: the row
-- without parent_item_id carries the configurable's product_id, the simple's sku and the price. Not sent: simple
-- products that are only parts of a configurable (not visible on their own), grouped products (they are never ordered
-- themselves), products without a price (bundles with dynamic prices).
--
-- For Magento Open Source 2.3 and newer on MySQL 8.0 or MariaDB 10.5+. In Adobe Commerce the value tables are keyed
-- by row_id instead of entity_id: join them through catalog_product_entity.row_id of the version that is valid now.
-- Stock is the legacy table's, which Magento keeps for the default source; with several sources (MSI) read
-- inventory_stock_<id> (sku, quantity, is_salable) instead. Needs: event_scheduler=ON, binlog_format=ROW,
-- binlog_row_image=FULL, and for the definer SELECT on the tables below and INSERT, UPDATE, DELETE on the outbox. If
-- your tables have a prefix, add it. Then add <database>.replenit_product_outbox to Debezium's table.include.list.
-- `variants` and `taxonomy` arrive as strings of JSON.

CREATE TABLE IF NOT EXISTS replenit_product_outbox (
  -- catalog_product_entity.entity_id, which is sales_order_item.product_id
  product_id   int unsigned NOT NULL PRIMARY KEY,
  product_name varchar(255) NOT NULL,
  taxonomy     longtext     NULL,     -- JSON array of category names, broadest first
  variants     longtext     NOT NULL, -- JSON array of objects with the API's variant fields
  fingerprint  char(40)     NOT NULL, -- SHA-1 of the three columns above; only for the comparison
  changed_at   timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
DROP PROCEDURE IF EXISTS replenit_refresh_products;
DELIMITER //
CREATE PROCEDURE replenit_refresh_products()
  MODIFIES SQL DATA
main: BEGIN
  -- CHANGE these.
  DECLARE v_store smallint unsigned DEFAULT 1;         -- the store view whose texts and prices are sent
  DECLARE v_website smallint unsigned DEFAULT 1;       -- its website
  DECLARE v_currency varchar(3) DEFAULT 'EUR';         -- the base currency: prices in the tables are in it
  DECLARE v_size varchar(255) DEFAULT 'size';          -- attribute code of the size (a select)
  DECLARE v_brand varchar(255) DEFAULT 'manufacturer'; -- attribute code of the brand (a select)
  -- The public address of the images.
  DECLARE v_media varchar(255) DEFAULT 'https://shop.example.com/media/catalog/product';
  -- Special prices start and end at midnight of the shop's time zone: add its offset.
  DECLARE v_now datetime DEFAULT UTC_TIMESTAMP() + INTERVAL 0 HOUR;

  DECLARE v_rows int;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; DO RELEASE_LOCK('replenit_refresh_products'); RESIGNAL; END;
  IF GET_LOCK('replenit_refresh_products', 0) <> 1 THEN LEAVE main; END IF;
  SET SESSION group_concat_max_len = 16777216; -- a cut document would be broken JSON

  -- 1. The attribute values that matter, one row a product, store view before default.
  DROP TEMPORARY TABLE IF EXISTS replenit_value;
  CREATE TEMPORARY TABLE replenit_value (entity_id int unsigned NOT NULL, code varchar(64) NOT NULL,
      value varchar(255) NULL, PRIMARY KEY (entity_id, code));
  INSERT INTO replenit_value
    SELECT d.entity_id, a.attribute_code, d.value
      FROM eav_attribute a
      JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_product'
      JOIN catalog_product_entity_varchar d ON d.attribute_id = a.attribute_id AND d.store_id IN (0, v_store)
     WHERE a.attribute_code IN ('name', 'image')
       AND NOT (d.store_id = 0 AND EXISTS (SELECT 1 FROM catalog_product_entity_varchar s
           WHERE s.entity_id = d.entity_id AND s.attribute_id = d.attribute_id AND s.store_id = v_store));
  INSERT INTO replenit_value
    SELECT d.entity_id, a.attribute_code, d.value
      FROM eav_attribute a
      JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_product'
      JOIN catalog_product_entity_int d ON d.attribute_id = a.attribute_id AND d.store_id IN (0, v_store)
     WHERE a.attribute_code IN ('status', 'visibility')
       AND NOT (d.store_id = 0 AND EXISTS (SELECT 1 FROM catalog_product_entity_int s
           WHERE s.entity_id = d.entity_id AND s.attribute_id = d.attribute_id AND s.store_id = v_store));
  INSERT INTO replenit_value -- selects: the option's label, the store view's before the default's
    SELECT d.entity_id, CASE a.attribute_code WHEN v_size THEN 'size' ELSE 'brand' END,
           COALESCE((SELECT MIN(o.value) FROM eav_attribute_option_value o
                      WHERE o.option_id = d.value AND o.store_id = v_store),
                    (SELECT MIN(o.value) FROM eav_attribute_option_value o
                      WHERE o.option_id = d.value AND o.store_id = 0))
      FROM eav_attribute a
      JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_product'
      JOIN catalog_product_entity_int d ON d.attribute_id = a.attribute_id AND d.store_id IN (0, v_store)
     WHERE a.attribute_code IN (v_size, v_brand)
       AND NOT (d.store_id = 0 AND EXISTS (SELECT 1 FROM catalog_product_entity_int s
           WHERE s.entity_id = d.entity_id AND s.attribute_id = d.attribute_id AND s.store_id = v_store));
  INSERT INTO replenit_value
    SELECT d.entity_id, a.attribute_code, d.value
      FROM eav_attribute a
      JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_product'
      JOIN catalog_product_entity_decimal d ON d.attribute_id = a.attribute_id AND d.store_id IN (0, v_store)
     WHERE a.attribute_code IN ('price', 'special_price')
       AND NOT (d.store_id = 0 AND EXISTS (SELECT 1 FROM catalog_product_entity_decimal s
           WHERE s.entity_id = d.entity_id AND s.attribute_id = d.attribute_id AND s.store_id = v_store));
  INSERT INTO replenit_value
    SELECT d.entity_id, a.attribute_code, d.value
      FROM eav_attribute a
      JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_product'
      JOIN catalog_product_entity_datetime d ON d.attribute_id = a.attribute_id AND d.store_id IN (0, v_store)
     WHERE a.attribute_code IN ('special_from_date', 'special_to_date')
       AND NOT (d.store_id = 0 AND EXISTS (SELECT 1 FROM catalog_product_entity_datetime s
           WHERE s.entity_id = d.entity_id AND s.attribute_id = d.attribute_id AND s.store_id = v_store));

  DROP TEMPORARY TABLE IF EXISTS replenit_flat;
  CREATE TEMPORARY TABLE replenit_flat (
    entity_id int unsigned NOT NULL PRIMARY KEY, type_id varchar(32) NOT NULL, sku varchar(64) NOT NULL,
        name varchar(255) NULL, image varchar(255) NULL,
    enabled tinyint NOT NULL, visible tinyint NOT NULL, price decimal(20,6) NULL, special_price decimal(20,6) NULL,
        size varchar(255) NULL, brand varchar(255) NULL,
    in_stock tinyint NOT NULL, qty decimal(12,4) NULL
  );
  INSERT INTO replenit_flat
    SELECT e.entity_id, e.type_id, e.sku,
           MAX(CASE WHEN v.code = 'name' THEN v.value END),
           MAX(CASE WHEN v.code = 'image' THEN NULLIF(v.value, 'no_selection') END),
           COALESCE(MAX(CASE WHEN v.code = 'status' THEN v.value = '1' END), 0),      -- 1 enabled, 2 disabled
           -- 1 not visible individually, 2 catalogue, 3 search, 4 both
           COALESCE(MAX(CASE WHEN v.code = 'visibility' THEN v.value > '1' END), 0),
           MAX(CASE WHEN v.code = 'price' THEN CAST(v.value AS decimal(20,6)) END),
           CASE WHEN COALESCE(MAX(CASE WHEN v.code = 'special_from_date' THEN CAST(v.value AS datetime) END), v_now)
                     <= v_now
                 AND COALESCE(MAX(CASE WHEN v.code = 'special_to_date' THEN CAST(v.value AS datetime) END), v_now)
                     + INTERVAL 1 DAY > v_now
                THEN MAX(CASE WHEN v.code = 'special_price' THEN CAST(v.value AS decimal(20,6)) END) END,
           MAX(CASE WHEN v.code = 'size' THEN v.value END),
           MAX(CASE WHEN v.code = 'brand' THEN v.value END),
           COALESCE(MAX(CASE WHEN i.use_config_manage_stock = 0 AND i.manage_stock = 0 THEN 1
               ELSE i.is_in_stock END), 0),
           MAX(CASE WHEN i.use_config_manage_stock = 0 AND i.manage_stock = 0 THEN NULL ELSE i.qty END)
      FROM catalog_product_entity e
      JOIN catalog_product_website w ON w.product_id = e.entity_id AND w.website_id = v_website
      LEFT JOIN replenit_value v ON v.entity_id = e.entity_id
      LEFT JOIN cataloginventory_stock_item i ON i.product_id = e.entity_id AND i.stock_id = 1
     GROUP BY e.entity_id, e.type_id, e.sku;

  -- 2. One category path for each product: its deepest category, the oldest of equals. Levels 0 and 1 are Magento's
  -- roots.
  DROP TEMPORARY TABLE IF EXISTS replenit_path;
  CREATE TEMPORARY TABLE replenit_path (product_id int unsigned NOT NULL PRIMARY KEY, path text NOT NULL);
  INSERT INTO replenit_path
    WITH RECURSIVE title (entity_id, parent_id, level, name) AS (
      SELECT c.entity_id, c.parent_id, c.level,
             COALESCE((SELECT s.value FROM catalog_category_entity_varchar s
                 WHERE s.entity_id = c.entity_id AND s.attribute_id = a.attribute_id AND s.store_id = v_store),
                      (SELECT s.value FROM catalog_category_entity_varchar s
                          WHERE s.entity_id = c.entity_id AND s.attribute_id = a.attribute_id AND s.store_id = 0), '')
        FROM catalog_category_entity c
        JOIN eav_attribute a ON a.attribute_code = 'name'
            JOIN eav_entity_type t ON t.entity_type_id = a.entity_type_id AND t.entity_type_code = 'catalog_category'
    ), tree (entity_id, level, path) AS (
      SELECT entity_id, level, CAST(JSON_QUOTE(name) AS char(4000)) FROM title WHERE level = 2
      UNION ALL
      SELECT n.entity_id, n.level, CONCAT(tree.path, ', ', JSON_QUOTE(n.name)) FROM tree
          JOIN title n ON n.parent_id = tree.entity_id
    ), ranked AS (
      SELECT p.product_id, tree.path, ROW_NUMBER() OVER (PARTITION BY p.product_id
          ORDER BY tree.level DESC, tree.entity_id) AS place
        FROM catalog_category_product p JOIN tree ON tree.entity_id = p.category_id
    )
    SELECT product_id, CONCAT('[', path, ']') FROM ranked WHERE place = 1;

  -- 3. What can be bought: a configurable's simple products, else the product itself. (MySQL can't read a temporary
  -- table twice in one statement, hence the copy.)
  DROP TEMPORARY TABLE IF EXISTS replenit_offer;
  CREATE TEMPORARY TABLE replenit_offer (product_id int unsigned NOT NULL, variant_id int unsigned NOT NULL,
      PRIMARY KEY (product_id, variant_id));
  INSERT INTO replenit_offer SELECT l.parent_id, l.product_id FROM catalog_product_super_link l;
  INSERT IGNORE INTO replenit_offer
    SELECT f.entity_id, f.entity_id FROM replenit_flat f
     WHERE f.type_id NOT IN ('configurable', 'grouped')
       AND (f.visible = 1 OR NOT EXISTS (SELECT 1 FROM catalog_product_super_link l WHERE l.product_id = f.entity_id));
  DROP TEMPORARY TABLE IF EXISTS replenit_parent;
  CREATE TEMPORARY TABLE replenit_parent (PRIMARY KEY (entity_id)) SELECT entity_id, name, image, enabled, brand
      FROM replenit_flat;

  -- 4. The documents.
  DROP TEMPORARY TABLE IF EXISTS replenit_fresh;
  CREATE TEMPORARY TABLE replenit_fresh (product_id int unsigned NOT NULL PRIMARY KEY,
      product_name varchar(255) NOT NULL, taxonomy longtext NULL, variants longtext NOT NULL,
      fingerprint char(40) NOT NULL);
  INSERT INTO replenit_fresh
    SELECT d.product_id, d.product_name, d.taxonomy, d.variants,
        SHA1(CONCAT_WS('\n', d.product_name, COALESCE(d.taxonomy, ''), d.variants))
      FROM (
        SELECT o.product_id, COALESCE(MAX(p.name), '') AS product_name, MAX(c.path) AS taxonomy,
               CONCAT('[', GROUP_CONCAT(JSON_OBJECT(
                 'VariantId', CAST(o.variant_id AS char),
                 'Sku', f.sku,
                 'Name', COALESCE(f.name, p.name, f.sku),
                 'OriginalPrice', f.price,
                 'SalePrice', CASE WHEN f.special_price < f.price THEN f.special_price END,
                 'Currency', v_currency,
                 'IsAvailable', JSON_EXTRACT(CASE WHEN p.enabled = 1 AND f.enabled = 1 AND f.in_stock = 1 THEN 'true'
                     ELSE 'false' END, '$'),
                 'Stock', CAST(f.qty AS signed),
                 'Size', f.size,
                 'Image', CONCAT(v_media, COALESCE(f.image, p.image)),
                 'BrandName', COALESCE(f.brand, p.brand)
               ) ORDER BY o.variant_id SEPARATOR ','), ']') AS variants
          FROM replenit_offer o
          JOIN replenit_parent p ON p.entity_id = o.product_id
          JOIN replenit_flat f ON f.entity_id = o.variant_id AND f.price IS NOT NULL
          LEFT JOIN replenit_path c ON c.product_id = o.product_id
         GROUP BY o.product_id
      ) d;
  SELECT COUNT(*) INTO v_rows FROM replenit_fresh;

  -- 5. Only what differs is written; nothing is deleted while the shop seems to have no product at all (an import
  -- under way).
  START TRANSACTION;
  INSERT INTO replenit_product_outbox (product_id, product_name, taxonomy, variants, fingerprint)
    SELECT f.product_id, f.product_name, f.taxonomy, f.variants, f.fingerprint
      FROM replenit_fresh f LEFT JOIN replenit_product_outbox o ON o.product_id = f.product_id
     WHERE o.product_id IS NULL OR o.fingerprint <> f.fingerprint
    ON DUPLICATE KEY UPDATE product_name = VALUES(product_name), taxonomy = VALUES(taxonomy),
        variants = VALUES(variants), fingerprint = VALUES(fingerprint), changed_at = CURRENT_TIMESTAMP;
  IF v_rows > 0 THEN
    DELETE o FROM replenit_product_outbox o LEFT JOIN replenit_fresh f ON f.product_id = o.product_id
        WHERE f.product_id IS NULL;
  END IF;
  COMMIT;
  DROP TEMPORARY TABLE IF EXISTS replenit_value, replenit_flat, replenit_path, replenit_offer, replenit_parent,
      replenit_fresh;
  DO RELEASE_LOCK('replenit_refresh_products');
END//
DELIMITER ;

CALL replenit_refresh_products();
CREATE EVENT IF NOT EXISTS replenit_refresh_products ON SCHEDULE EVERY 1 MINUTE DO CALL replenit_refresh_products();

-- To remove all of it:
-- DROP EVENT IF EXISTS replenit_refresh_products;
-- DROP PROCEDURE IF EXISTS replenit_refresh_products;
-- DROP TABLE IF EXISTS replenit_product_outbox;

-- WooCommerce products for Replenit: an outbox table that Debezium captures.
--
-- Why: the fields of a product lie in attribute rows (wp_postmeta, wp_term_relationships), and Debezium captures
-- tables, not views. This script adds ONE table, ONE procedure and ONE event beside WooCommerce's own tables. It
-- changes nothing of WooCommerce, adds no trigger to its tables and can be removed by the last three lines at the
-- end.
--
-- The event computes every product's document, compares it with what the table holds and writes only rows that
-- differ, so an unchanged catalogue writes nothing to the binary log. A product that is gone (deleted, trashed,
-- unpublished) is deleted.
--
-- Runs on MySQL 8.0 and MariaDB 10.5 or newer. Needs: event_scheduler=ON, binlog_format=ROW, binlog_row_image=FULL,
-- and for the definer SELECT on the wp_ tables and INSERT, UPDATE, DELETE on the outbox. Table prefix wp_: replace it
-- if yours differs. Then add <database>.replenit_product_outbox to Debezium's table.include.list. `variants` and
-- `taxonomy` arrive as strings of JSON.
--
-- Adapt the places marked CHANGE: the attribute that holds the size, the brand taxonomy, and whether drafts count.

CREATE TABLE IF NOT EXISTS replenit_product_outbox (
  product_id   bigint(20) unsigned NOT NULL PRIMARY KEY, -- wp_posts.ID of the product
  product_name varchar(200)        NOT NULL,
  taxonomy     longtext            NULL,                 -- JSON array of category names, broadest first
  variants     longtext            NOT NULL,             -- JSON array of objects with the API's variant fields
  fingerprint  char(40)            NOT NULL,             -- SHA-1 of the three columns above; only for the comparison
  changed_at   timestamp           NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

-- the procedure keeps this mode: WordPress's own zero dates must not stop it
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
DROP PROCEDURE IF EXISTS replenit_refresh_products;
DELIMITER //
CREATE PROCEDURE replenit_refresh_products()
  MODIFIES SQL DATA
main: BEGIN
  DECLARE v_currency varchar(10);
  DECLARE v_uploads varchar(255);
  DECLARE v_rows int;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; DO RELEASE_LOCK('replenit_refresh_products'); RESIGNAL; END;

  -- A run that takes longer than the event's interval must not meet the next one.
  IF GET_LOCK('replenit_refresh_products', 0) <> 1 THEN LEAVE main; END IF;
  SET SESSION group_concat_max_len = 16777216; -- a cut document would be broken JSON
  SELECT option_value INTO v_currency FROM wp_options WHERE option_name = 'woocommerce_currency';
  SELECT CONCAT(TRIM(TRAILING '/' FROM option_value), '/wp-content/uploads/') INTO v_uploads FROM wp_options
      WHERE option_name = 'siteurl';

  -- 1. The things one can buy: a variation of a product that has any, else the product itself.
  DROP TEMPORARY TABLE IF EXISTS replenit_offer;
  CREATE TEMPORARY TABLE replenit_offer (
    product_id bigint unsigned NOT NULL, variant_id bigint unsigned NOT NULL, is_variation tinyint NOT NULL,
        position int NOT NULL,
    enabled tinyint NOT NULL, title text NOT NULL, PRIMARY KEY (variant_id), KEY (product_id)
  ) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
  INSERT INTO replenit_offer
    -- a variation that is not enabled is 'private'
    SELECT p.ID, v.ID, 1, v.menu_order, v.post_status = 'publish', v.post_title
      FROM wp_posts p JOIN wp_posts v ON v.post_parent = p.ID AND v.post_type = 'product_variation'
          AND v.post_status IN ('publish', 'private')
     WHERE p.post_type = 'product' AND p.post_status IN ('publish', 'private');
  INSERT INTO replenit_offer
    SELECT p.ID, p.ID, 0, 0, p.post_status = 'publish', p.post_title
      FROM wp_posts p
     -- CHANGE: 'private' is sent as not available
     WHERE p.post_type = 'product' AND p.post_status IN ('publish', 'private')
       AND NOT EXISTS (SELECT 1 FROM wp_posts v WHERE v.post_parent = p.ID AND v.post_type = 'product_variation'
           AND v.post_status IN ('publish', 'private'))
       AND NOT EXISTS (SELECT 1 FROM wp_term_relationships r
           JOIN wp_term_taxonomy x ON x.term_taxonomy_id = r.term_taxonomy_id AND x.taxonomy = 'product_type'
                         JOIN wp_terms t ON t.term_id = x.term_id AND t.slug IN ('grouped', 'variable')
                             WHERE r.object_id = p.ID);

  -- 2. One category path for each product: its deepest category, the oldest of equals. WordPress stores '&' in names
  -- as '&amp;'.
  DROP TEMPORARY TABLE IF EXISTS replenit_path;
  CREATE TEMPORARY TABLE replenit_path (product_id bigint unsigned NOT NULL PRIMARY KEY,
      path text NOT NULL) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
  INSERT INTO replenit_path
    WITH RECURSIVE tree (term_id, term_taxonomy_id, depth, path) AS (
      SELECT x.term_id, x.term_taxonomy_id, 1, CAST(JSON_QUOTE(REPLACE(t.name, '&amp;', '&')) AS char(4000))
        FROM wp_term_taxonomy x JOIN wp_terms t ON t.term_id = x.term_id
            WHERE x.taxonomy = 'product_cat' AND x.parent = 0
      UNION ALL
      SELECT x.term_id, x.term_taxonomy_id, tree.depth + 1, CONCAT(tree.path, ', ',
          JSON_QUOTE(REPLACE(t.name, '&amp;', '&')))
        FROM tree JOIN wp_term_taxonomy x ON x.parent = tree.term_id AND x.taxonomy = 'product_cat'
            JOIN wp_terms t ON t.term_id = x.term_id
       WHERE tree.depth < 20
    ), ranked AS (
      SELECT r.object_id, tree.path, ROW_NUMBER() OVER (PARTITION BY r.object_id
          ORDER BY tree.depth DESC, tree.term_id) AS place
        FROM wp_term_relationships r JOIN tree ON tree.term_taxonomy_id = r.term_taxonomy_id
    )
    SELECT object_id, CONCAT('[', path, ']') FROM ranked WHERE place = 1;

  -- 3. The documents.
  DROP TEMPORARY TABLE IF EXISTS replenit_fresh;
  CREATE TEMPORARY TABLE replenit_fresh (
    product_id bigint unsigned NOT NULL PRIMARY KEY, product_name varchar(200) NOT NULL, taxonomy longtext NULL,
        variants longtext NOT NULL, fingerprint char(40) NOT NULL
  ) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
  INSERT INTO replenit_fresh
    SELECT d.product_id, d.product_name, d.taxonomy, d.variants,
        SHA1(CONCAT_WS('\n', d.product_name, COALESCE(d.taxonomy, ''), d.variants))
      FROM (
        SELECT o.product_id, LEFT(p.post_title, 200) AS product_name, MAX(c.path) AS taxonomy,
               CONCAT('[', GROUP_CONCAT(JSON_OBJECT(
                 'VariantId', CAST(o.variant_id AS char),
                 -- The rule of the order items' outbox too: the variation's SKU, else the product's, else the id.
                 'Sku', COALESCE(NULLIF(l.sku, ''), NULLIF(pl.sku, ''), CAST(o.variant_id AS char)),
                 'Name', o.title,
                 'OriginalPrice', CASE WHEN price.meta_value REGEXP '^[0-9]+([.][0-9]+)?$'
                     THEN CAST(price.meta_value AS decimal(19,4)) ELSE l.max_price END,
                 'SalePrice', CASE WHEN l.onsale = 1 THEN l.min_price END,
                 'Currency', v_currency,
                 'IsAvailable', JSON_EXTRACT(CASE WHEN o.enabled = 1 AND p.post_status = 'publish'
                     AND COALESCE(l.stock_status, 'instock') <> 'outofstock' THEN 'true' ELSE 'false' END, '$'),
                 -- a variation without a stock of its own shares the product's
                 'Stock', CAST(COALESCE(l.stock_quantity, pl.stock_quantity) AS signed),
                 'Size', COALESCE(size_term.name, size.meta_value),
                 'Image', CONCAT(v_uploads, file.meta_value),
                 'BrandName', brand.name
               ) ORDER BY o.position, o.variant_id SEPARATOR ','), ']') AS variants
          FROM replenit_offer o
          JOIN wp_posts p ON p.ID = o.product_id
          LEFT JOIN wp_wc_product_meta_lookup l ON l.product_id = o.variant_id
          LEFT JOIN wp_wc_product_meta_lookup pl ON pl.product_id = o.product_id
          LEFT JOIN replenit_path c ON c.product_id = o.product_id
          LEFT JOIN wp_postmeta price ON price.meta_id = (SELECT MIN(m.meta_id) FROM wp_postmeta m
              WHERE m.post_id = o.variant_id AND m.meta_key = '_regular_price')
          -- CHANGE: the size. 'attribute_pa_size' holds a term's slug, 'attribute_size' (an attribute of this product
          -- alone) its text.
          LEFT JOIN wp_postmeta size ON size.meta_id = (SELECT MIN(m.meta_id) FROM wp_postmeta m
              WHERE m.post_id = o.variant_id AND m.meta_key IN ('attribute_pa_size', 'attribute_size')
              AND m.meta_value <> '')
          LEFT JOIN (SELECT t.slug, MIN(REPLACE(t.name, '&amp;', '&')) AS name FROM wp_terms t
              JOIN wp_term_taxonomy x ON x.term_id = t.term_id AND x.taxonomy = 'pa_size' GROUP BY t.slug) size_term
            ON size.meta_key = 'attribute_pa_size' AND size_term.slug = size.meta_value
          LEFT JOIN wp_postmeta thumb ON thumb.meta_id = (SELECT m.meta_id FROM wp_postmeta m
              WHERE m.post_id IN (o.variant_id, o.product_id) AND m.meta_key = '_thumbnail_id'
              AND m.meta_value REGEXP '^[1-9][0-9]*$' ORDER BY m.post_id = o.variant_id DESC, m.meta_id LIMIT 1)
          LEFT JOIN wp_postmeta file ON file.meta_id = (SELECT MIN(m.meta_id) FROM wp_postmeta m
              WHERE m.post_id = thumb.meta_value AND m.meta_key = '_wp_attached_file')
          -- CHANGE: the brand. 'product_brand' is WooCommerce's own taxonomy (9.6 and newer).
          LEFT JOIN (SELECT r.object_id, MIN(REPLACE(t.name, '&amp;', '&')) AS name FROM wp_term_relationships r
              JOIN wp_term_taxonomy x ON x.term_taxonomy_id = r.term_taxonomy_id AND x.taxonomy = 'product_brand'
              JOIN wp_terms t ON t.term_id = x.term_id GROUP BY r.object_id) brand ON brand.object_id = o.product_id
         GROUP BY o.product_id, p.post_title
      ) d;
  SELECT COUNT(*) INTO v_rows FROM replenit_fresh;

  -- 4. Only what differs is written; nothing is deleted while the shop seems to have no product at all (an import
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
  DROP TEMPORARY TABLE IF EXISTS replenit_offer, replenit_path, replenit_fresh;
  DO RELEASE_LOCK('replenit_refresh_products');
END//
DELIMITER ;

CALL replenit_refresh_products();
CREATE EVENT IF NOT EXISTS replenit_refresh_products ON SCHEDULE EVERY 1 MINUTE DO CALL replenit_refresh_products();

-- To remove all of it:
-- DROP EVENT IF EXISTS replenit_refresh_products;
-- DROP PROCEDURE IF EXISTS replenit_refresh_products;
-- DROP TABLE IF EXISTS replenit_product_outbox;

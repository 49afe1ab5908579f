-- PrestaShop variants for Replenit: an outbox table that Debezium captures. Needed where combinations have prices of
-- their own, and for products without combinations.
--
-- Why: ps_product_attribute_shop.price is a difference that is added to the product's price, a combination without a
-- reference has the product's, and a product without combinations has no row in ps_product_attribute at all, although
-- it can be bought. This table has one row for each thing that can be bought: a child table of ps_product by
-- id_product. Prices are without tax, as in PrestaShop's own tables.
--
-- It adds ONE table, ONE procedure and ONE event; nothing of PrestaShop is changed. Runs on MySQL 8.0 and MariaDB
-- 10.5+. Needs event_scheduler=ON, binlog_format=ROW, binlog_row_image=FULL. Only rows that differ are written,
-- vanished ones deleted. Sale prices (ps_specific_price: per customer, group, currency, quantity and date) are left
-- out.

CREATE TABLE IF NOT EXISTS replenit_variant_outbox (
  id_product           int(10) unsigned NOT NULL,
  id_product_attribute int(10) unsigned NOT NULL, -- 0: the product has no combinations
  -- the combination's, else the product's, else <id_product>-<id_product_attribute>
  reference            varchar(64)      NOT NULL,
  price                decimal(20,6)    NOT NULL, -- without tax, before reductions
  quantity             int(10)          NOT NULL, -- may be negative where orders are accepted without stock
  available            tinyint(1)       NOT NULL,
  PRIMARY KEY (id_product, id_product_attribute)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
DROP PROCEDURE IF EXISTS replenit_refresh_variants;
DELIMITER //
CREATE PROCEDURE replenit_refresh_variants()
  MODIFIES SQL DATA
main: BEGIN
  DECLARE v_shop int unsigned DEFAULT 1; -- CHANGE: the shop
  -- CHANGE: PS_ORDER_OUT_OF_STOCK, for products that say "default behaviour" (2)
  DECLARE v_orders_without_stock tinyint DEFAULT 0;
  DECLARE v_rows int;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; DO RELEASE_LOCK('replenit_refresh_variants'); RESIGNAL; END;
  IF GET_LOCK('replenit_refresh_variants', 0) <> 1 THEN LEAVE main; END IF;
  DROP TEMPORARY TABLE IF EXISTS replenit_offer;
  CREATE TEMPORARY TABLE replenit_offer LIKE replenit_variant_outbox;
  INSERT INTO replenit_offer
    SELECT o.id_product, o.id_product_attribute, o.reference, o.price, COALESCE(k.quantity, 0),
           o.active = 1 AND o.available_for_order = 1
             AND (COALESCE(k.quantity, 0) > 0 OR COALESCE(NULLIF(k.out_of_stock, 2), v_orders_without_stock) = 1)
      FROM (
        SELECT s.id_product, a.id_product_attribute,
               COALESCE(NULLIF(a.reference, ''), NULLIF(p.reference, ''),
                        CONCAT(s.id_product, '-', a.id_product_attribute)) AS reference,
               s.price + x.price AS price, s.active, s.available_for_order
          -- state 0: being written in the back office
          FROM ps_product_shop s JOIN ps_product p ON p.id_product = s.id_product AND p.state = 1
          JOIN ps_product_attribute a ON a.id_product = s.id_product
          JOIN ps_product_attribute_shop x ON x.id_product_attribute = a.id_product_attribute AND x.id_shop = s.id_shop
         WHERE s.id_shop = v_shop
        UNION ALL
        SELECT s.id_product, 0, COALESCE(NULLIF(p.reference, ''), CONCAT(s.id_product, '-0')), s.price, s.active,
            s.available_for_order
          FROM ps_product_shop s JOIN ps_product p ON p.id_product = s.id_product AND p.state = 1
         WHERE s.id_shop = v_shop
           AND NOT EXISTS (SELECT 1 FROM ps_product_attribute a WHERE a.id_product = s.id_product)
      ) o
      -- stock shared within a shop group: id_shop 0 and id_shop_group instead
      LEFT JOIN ps_stock_available k ON k.id_product = o.id_product
          AND k.id_product_attribute = o.id_product_attribute AND k.id_shop = v_shop;
  SELECT COUNT(*) INTO v_rows FROM replenit_offer;
  START TRANSACTION;
  INSERT INTO replenit_variant_outbox
    SELECT n.* FROM replenit_offer n LEFT JOIN replenit_variant_outbox b ON b.id_product = n.id_product
        AND b.id_product_attribute = n.id_product_attribute
     WHERE b.id_product IS NULL OR BINARY b.reference <> BINARY n.reference
         OR (b.price, b.quantity, b.available) <> (n.price, n.quantity, n.available)
    ON DUPLICATE KEY UPDATE reference = VALUES(reference), price = VALUES(price), quantity = VALUES(quantity),
        available = VALUES(available);
  IF v_rows > 0 THEN
    DELETE b FROM replenit_variant_outbox b LEFT JOIN replenit_offer n ON n.id_product = b.id_product
        AND n.id_product_attribute = b.id_product_attribute WHERE n.id_product IS NULL;
  END IF;
  COMMIT;
  DROP TEMPORARY TABLE IF EXISTS replenit_offer;
  DO RELEASE_LOCK('replenit_refresh_variants');
END//
DELIMITER ;
CALL replenit_refresh_variants();
CREATE EVENT IF NOT EXISTS replenit_refresh_variants ON SCHEDULE EVERY 1 MINUTE DO CALL replenit_refresh_variants();

-- To remove all of it:
-- DROP EVENT IF EXISTS replenit_refresh_variants;
-- DROP PROCEDURE IF EXISTS replenit_refresh_variants;
-- DROP TABLE IF EXISTS replenit_variant_outbox;

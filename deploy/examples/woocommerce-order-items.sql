-- WooCommerce order items for Replenit: an outbox table that Debezium captures.
--
-- Why: an item's product, quantity and amounts lie in attribute rows (wp_woocommerce_order_itemmeta), its SKU in
-- another table, and the price of one unit nowhere: it is line total / quantity. wp_wc_order_product_lookup has most
-- of it in columns, but neither SKU nor unit price, in DOUBLE, and WooCommerce fills it later, from a queue. This
-- table has one row for each line item, keyed by order_item_id, with order_id to join wp_wc_orders (HPOS must be on;
-- orders in wp_posts are not covered).
--
-- The event looks only at orders touched in the last two days (date_updated_gmt), and once a day at all of them. It
-- writes only rows that differ and deletes items that are gone. Prices are what was paid for one unit after coupons;
-- `price` includes tax. Same versions and privileges as woocommerce-products.sql.

CREATE TABLE IF NOT EXISTS replenit_order_item_outbox (
  order_item_id  bigint(20) unsigned NOT NULL PRIMARY KEY,
  order_id       bigint(20) unsigned NOT NULL,
  -- always the product, never the variation: it equals replenit_product_outbox.product_id
  product_id     bigint(20) unsigned NOT NULL,
  variation_id   bigint(20) unsigned NOT NULL, -- 0 where the product has no variations
  sku            varchar(100)        NOT NULL, -- by the rule of replenit_product_outbox
  quantity       int                 NOT NULL,
  price          decimal(19,4)       NOT NULL, -- (line total + line tax) / quantity
  original_price decimal(19,4)       NOT NULL, -- (line subtotal + its tax) / quantity: before coupons
  KEY order_id (order_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;

SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
DROP PROCEDURE IF EXISTS replenit_refresh_order_items;
DELIMITER //
CREATE PROCEDURE replenit_refresh_order_items(IN p_since datetime) -- NULL: all orders
  MODIFIES SQL DATA
main: BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; DO RELEASE_LOCK('replenit_refresh_order_items'); RESIGNAL; END;
  IF GET_LOCK('replenit_refresh_order_items', 0) <> 1 THEN LEAVE main; END IF;

  DROP TEMPORARY TABLE IF EXISTS replenit_touched;
  CREATE TEMPORARY TABLE replenit_touched (order_id bigint unsigned NOT NULL PRIMARY KEY);
  INSERT INTO replenit_touched SELECT id FROM wp_wc_orders WHERE type = 'shop_order'
      AND (p_since IS NULL OR date_updated_gmt >= p_since);
  -- An order that was deleted for good is touched as well: its rows here have no order any more.
  INSERT IGNORE INTO replenit_touched
    SELECT DISTINCT b.order_id FROM replenit_order_item_outbox b LEFT JOIN wp_wc_orders o ON o.id = b.order_id
        WHERE o.id IS NULL;

  DROP TEMPORARY TABLE IF EXISTS replenit_item;
  CREATE TEMPORARY TABLE replenit_item (
    order_item_id bigint unsigned NOT NULL PRIMARY KEY, order_id bigint unsigned NOT NULL,
    product_id bigint unsigned NOT NULL, variation_id bigint unsigned NOT NULL,
    quantity int NOT NULL, total decimal(19,4) NOT NULL, subtotal decimal(19,4) NOT NULL
  );
  INSERT INTO replenit_item
    SELECT i.order_item_id, i.order_id,
           COALESCE(MAX(CASE WHEN m.meta_key = '_product_id' THEN CAST(m.meta_value AS unsigned) END), 0),
           COALESCE(MAX(CASE WHEN m.meta_key = '_variation_id' THEN CAST(m.meta_value AS unsigned) END), 0),
           COALESCE(MAX(CASE WHEN m.meta_key = '_qty' THEN CAST(m.meta_value AS signed) END), 0),
           COALESCE(SUM(CASE WHEN m.meta_key IN ('_line_total', '_line_tax')
               THEN CAST(m.meta_value AS decimal(19,4)) END), 0),
           COALESCE(SUM(CASE WHEN m.meta_key IN ('_line_subtotal', '_line_subtotal_tax')
               THEN CAST(m.meta_value AS decimal(19,4)) END), 0)
      FROM replenit_touched t
      JOIN wp_wc_orders o ON o.id = t.order_id
      JOIN wp_woocommerce_order_items i ON i.order_id = t.order_id AND i.order_item_type = 'line_item'
      JOIN wp_woocommerce_order_itemmeta m ON m.order_item_id = i.order_item_id
     GROUP BY i.order_item_id, i.order_id;

  START TRANSACTION;
  INSERT INTO replenit_order_item_outbox (order_item_id, order_id, product_id, variation_id, sku, quantity, price,
      original_price)
    SELECT n.* FROM (
      SELECT i.order_item_id, i.order_id, i.product_id, i.variation_id,
             COALESCE(NULLIF(v.sku, ''), NULLIF(p.sku, ''),
                      CAST(CASE WHEN i.variation_id > 0 THEN i.variation_id ELSE i.product_id END AS char)) AS sku,
             i.quantity, ROUND(i.total / i.quantity, 4) AS price, ROUND(i.subtotal / i.quantity, 4) AS original_price
        FROM replenit_item i
        LEFT JOIN wp_wc_product_meta_lookup v ON v.product_id = i.variation_id AND i.variation_id > 0
        LEFT JOIN wp_wc_product_meta_lookup p ON p.product_id = i.product_id
       WHERE i.quantity > 0 AND i.product_id > 0 -- product 0: the product was deleted before the order was written
    ) n
    LEFT JOIN replenit_order_item_outbox b ON b.order_item_id = n.order_item_id
    -- An item's SKU stays what it was when the item was first seen: a product may be deleted or renumbered later.
    WHERE b.order_item_id IS NULL
       OR (b.order_id, b.product_id, b.variation_id, b.quantity, b.price, b.original_price)
          <> (n.order_id, n.product_id, n.variation_id, n.quantity, n.price, n.original_price)
    ON DUPLICATE KEY UPDATE order_id = VALUES(order_id), product_id = VALUES(product_id),
        variation_id = VALUES(variation_id), quantity = VALUES(quantity), price = VALUES(price),
        original_price = VALUES(original_price);
  DELETE b FROM replenit_order_item_outbox b JOIN replenit_touched t ON t.order_id = b.order_id
      LEFT JOIN replenit_item i ON i.order_item_id = b.order_item_id
   WHERE i.order_item_id IS NULL OR i.quantity <= 0 OR i.product_id = 0;
  COMMIT;
  DROP TEMPORARY TABLE IF EXISTS replenit_touched, replenit_item;
  DO RELEASE_LOCK('replenit_refresh_order_items');
END//
DELIMITER ;

CALL replenit_refresh_order_items(NULL);
CREATE EVENT IF NOT EXISTS replenit_refresh_order_items ON SCHEDULE EVERY 1 MINUTE
  DO CALL replenit_refresh_order_items(UTC_TIMESTAMP() - INTERVAL 2 DAY);
CREATE EVENT IF NOT EXISTS replenit_refresh_order_items_all ON SCHEDULE EVERY 1 DAY
  DO CALL replenit_refresh_order_items(NULL);

-- To remove all of it:
-- DROP EVENT IF EXISTS replenit_refresh_order_items; DROP EVENT IF EXISTS replenit_refresh_order_items_all;
-- DROP PROCEDURE IF EXISTS replenit_refresh_order_items;
-- DROP TABLE IF EXISTS replenit_order_item_outbox;

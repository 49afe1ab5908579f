-- What Replenit should hold, out of Magento's tables and outbox: entity and document. Consent is applied by the test.
SELECT 'customers' AS entity, JSON_OBJECT('CustomerId', CAST(c.entity_id AS char), 'Email', c.email, 'Name', c.firstname,
    'Surname', c.lastname, 'Language', ELT(c.store_id, 'en-US', 'de-DE'), 'EmailOptin', COALESCE(n.subscriber_status = 1, 1 = 0),
    'GdprOptin', COALESCE(n.subscriber_status = 1, 1 = 0)) AS document
  FROM customer_entity c LEFT JOIN newsletter_subscriber n ON n.customer_id = c.entity_id AND n.store_id = 1;

SELECT 'orders', JSON_OBJECT('OrderId', CAST(o.entity_id AS char), 'CustomerId', CAST(o.customer_id AS char),
    'Email', o.customer_email, 'OrderDate', DATE_FORMAT(o.created_at, '%Y-%m-%dT%TZ'), 'TotalRevenue', o.grand_total,
    'Currency', o.order_currency_code, 'TotalQuantity', o.total_qty_ordered, 'UniqueQuantity', o.total_item_count,
    'IsOrderCancelled', o.state IN ('canceled', 'closed'), 'OrderItems', (
      SELECT JSON_ARRAYAGG(JSON_OBJECT('ProductId', CAST(i.product_id AS char), 'Sku', i.sku, 'Quantity', i.qty_ordered,
          'Price', i.price_incl_tax, 'OriginalPrice', i.original_price))
        FROM sales_order_item i WHERE i.order_id = o.entity_id AND i.parent_item_id IS NULL))
  FROM sales_order o;

SELECT 'products', JSON_OBJECT('ProductId', CAST(product_id AS char), 'ProductName', product_name,
    'Taxonomy', JSON_EXTRACT(taxonomy, '$'), 'ProductVariants', JSON_EXTRACT(variants, '$'))
  FROM replenit_product_outbox;

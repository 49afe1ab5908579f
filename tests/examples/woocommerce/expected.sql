-- What Replenit should hold, out of WooCommerce's tables and outboxes: entity and document. Consent is applied by the test.
SELECT 'customers' AS entity, JSON_OBJECT('CustomerId', CAST(user_id AS char), 'Email', email, 'Username', username,
    'Name', first_name, 'Surname', last_name, 'Phone', phone, 'Language', locale, 'EmailOptin', email_optin = 1,
    'GdprOptin', gdpr_optin = 1) AS document
  FROM replenit_customer_outbox;

SELECT 'orders', JSON_OBJECT('OrderId', CAST(o.id AS char), 'CustomerId', CAST(NULLIF(o.customer_id, 0) AS char),
    'Email', o.billing_email, 'OrderDate', DATE_FORMAT(o.date_created_gmt, '%Y-%m-%dT%TZ'), 'TotalRevenue', o.total_amount,
    'Currency', o.currency, 'IsOrderCancelled', o.status IN ('wc-cancelled', 'wc-refunded', 'wc-failed'), 'OrderItems', (
      SELECT JSON_ARRAYAGG(JSON_OBJECT('ProductId', CAST(i.product_id AS char), 'Sku', i.sku, 'Quantity', i.quantity,
          'Price', i.price, 'OriginalPrice', i.original_price))
        FROM replenit_order_item_outbox i WHERE i.order_id = o.id))
  FROM wp_wc_orders o WHERE o.type = 'shop_order' AND o.status LIKE 'wc-%' AND o.status <> 'wc-checkout-draft';

SELECT 'products', JSON_OBJECT('ProductId', CAST(product_id AS char), 'ProductName', product_name,
    'Taxonomy', JSON_EXTRACT(taxonomy, '$'), 'ProductVariants', JSON_EXTRACT(variants, '$'))
  FROM replenit_product_outbox;

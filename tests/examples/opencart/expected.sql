-- What Replenit should hold, out of OpenCart's tables: entity and document. Consent is applied by the test.
SELECT 'customers' AS entity, JSON_OBJECT('CustomerId', CAST(customer_id AS char), 'Email', email, 'Name', NULLIF(firstname, ''),
    'Surname', REPLACE(NULLIF(lastname, ''), '&#039;', ''''),
    'Phone', CASE WHEN telephone REGEXP '^[+][1-9][0-9]{1,14}$' THEN telephone END, 'Language', ELT(language_id, 'en-GB', 'de-DE'), 'EmailOptin', newsletter = 1,
    'GdprOptin', newsletter = 1) AS document
  FROM oc_customer;

SELECT 'orders', JSON_OBJECT('OrderId', CAST(o.order_id AS char), 'CustomerId', CAST(NULLIF(o.customer_id, 0) AS char),
    'Email', o.email, 'OrderDate', DATE_FORMAT(CONVERT_TZ(o.date_added, 'Europe/Berlin', 'UTC'), '%Y-%m-%dT%TZ'),
    'TotalRevenue', o.total, 'Currency', 'EUR', 'IsOrderCancelled', s.name IN ('Canceled', 'Denied', 'Failed', 'Refunded',
    'Reversed', 'Chargeback', 'Expired', 'Voided'), 'OrderItems', (
      SELECT JSON_ARRAYAGG(JSON_OBJECT('ProductId', CAST(i.product_id AS char), 'Sku', i.model, 'Quantity', i.quantity,
          'Price', i.price))
        FROM oc_order_product i WHERE i.order_id = o.order_id))
  FROM oc_order o JOIN oc_order_status s ON s.order_status_id = o.order_status_id AND s.language_id = 1;

SELECT 'products', JSON_OBJECT('ProductId', CAST(p.product_id AS char), 'ProductName', REPLACE(d.name, '&amp;', '&'), 'ProductVariants',
    JSON_ARRAY(JSON_OBJECT('VariantId', CAST(p.product_id AS char), 'Sku', p.model, 'Name', REPLACE(d.name, '&amp;', '&'),
      'Image', CONCAT('https://shop.example.com/image/', NULLIF(p.image, '')), 'OriginalPrice', p.price,
      'Currency', 'EUR', 'IsAvailable', p.status = 1, 'Stock', p.quantity)))
  FROM oc_product p JOIN oc_product_description d ON d.product_id = p.product_id AND d.language_id = 1;

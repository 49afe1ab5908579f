-- What Replenit should hold, out of PrestaShop's tables: entity and document. Consent is applied by the test.
SELECT 'customers' AS entity, JSON_OBJECT('CustomerId', CAST(id_customer AS char), 'Email', email, 'Name', NULLIF(firstname, ''),
    'Surname', NULLIF(lastname, ''), 'Language', ELT(id_lang, 'fr-FR', 'en-US'), 'EmailOptin', newsletter = 1,
    'GdprOptin', optin = 1) AS document
  FROM ps_customer WHERE deleted = 0;

SELECT 'orders', JSON_OBJECT('OrderId', CAST(o.id_order AS char), 'CustomerId', CAST(o.id_customer AS char),
    'OrderDate', DATE_FORMAT(CONVERT_TZ(o.date_add, 'Europe/Paris', 'UTC'), '%Y-%m-%dT%TZ'),
    'TotalRevenue', o.total_paid_tax_incl, 'Currency', c.iso_code, 'IsOrderCancelled', o.current_state IN (6, 7, 8),
    'OrderItems', (
      SELECT JSON_ARRAYAGG(JSON_OBJECT('ProductId', CAST(i.product_id AS char), 'Sku', CONCAT(i.product_id, '-', COALESCE(i.product_attribute_id, 0)),
          'Quantity', i.product_quantity, 'Price', i.unit_price_tax_incl))
        FROM ps_order_detail i WHERE i.id_order = o.id_order))
  FROM ps_orders o JOIN ps_currency c ON c.id_currency = o.id_currency;

SELECT 'products', JSON_OBJECT('ProductId', CAST(p.id_product AS char), 'ProductName', l.name, 'ProductVariants', JSON_ARRAYAGG(
    JSON_OBJECT('VariantId', CONCAT(v.id_product, '-', v.id_product_attribute), 'Sku', CONCAT(v.id_product, '-', v.id_product_attribute), 'Name', l.name,
      'OriginalPrice', v.price, 'Currency', 'EUR', 'IsAvailable', v.available = 1, 'Stock', v.quantity)))
  FROM ps_product p
  JOIN ps_product_lang l ON l.id_product = p.id_product AND l.id_lang = 2 AND l.id_shop = 1
  JOIN replenit_variant_outbox v ON v.id_product = p.id_product
 WHERE p.state = 1 GROUP BY p.id_product, l.name;

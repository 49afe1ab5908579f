-- What Replenit should hold, out of Saleor's tables: entity and document. Consent is applied by the test.
SELECT 'customers' AS entity, json_build_object('CustomerId', id::text, 'Email', email, 'Name', nullif(first_name, ''),
    'Surname', nullif(last_name, ''), 'Language', language_code, 'EmailOptin', coalesce(metadata->>'newsletter' = 'true', false),
    'GdprOptin', coalesce(metadata->>'gdpr_consent' = 'true', false)) AS document
  FROM account_user WHERE NOT is_staff;

SELECT 'orders', json_build_object('OrderId', o.id, 'CustomerId', o.user_id::text, 'Email', nullif(o.user_email, ''),
    'OrderDate', rtrim(rtrim(to_char(o.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z',
    'TotalRevenue', o.total_gross_amount, 'Currency', o.currency,
    'IsOrderCancelled', o.status IN ('canceled', 'expired', 'returned'), 'OrderItems', (
      SELECT json_agg(json_build_object('ProductId', coalesce(v.product_id, p.product_id)::text, 'Sku', l.product_sku,
          'Quantity', l.quantity, 'Price', l.unit_price_gross_amount, 'OriginalPrice', l.undiscounted_unit_price_gross_amount,
          'IsGift', l.is_gift))
        FROM order_orderline l
        LEFT JOIN product_productvariant v ON v.id = l.variant_id
        LEFT JOIN replenit_order_line p ON p.id = l.id
       WHERE l.order_id = o.id AND l.product_sku IS NOT NULL))
  FROM order_order o WHERE o.status <> 'draft';

SELECT 'products', json_build_object('ProductId', p.id::text, 'ProductName', p.name, 'ProductVariants', (
      SELECT json_agg(json_build_object('VariantId', v.id::text, 'Sku', v.sku, 'Name', p.name, 'Size', nullif(v.name, ''),
          'Image', 'https://shop.example.com/media/' || m.image, 'OriginalPrice', o.price_amount,
          'SalePrice', o.discounted_price_amount, 'Currency', o.currency, 'IsAvailable', c.is_published, 'Stock', s.quantity))
        FROM product_productvariant v
        LEFT JOIN product_productvariantchannellisting o ON o.variant_id = v.id AND o.channel_id = 1
        LEFT JOIN warehouse_stock s ON s.product_variant_id = v.id AND s.warehouse_id = '11111111-1111-4111-8111-111111111111'
       WHERE v.product_id = p.id AND v.sku IS NOT NULL))
  FROM product_product p
  LEFT JOIN product_productchannellisting c ON c.product_id = p.id AND c.channel_id = 1
  LEFT JOIN product_productmedia m ON m.product_id = p.id AND m.type = 'IMAGE' AND m.sort_order = 0;

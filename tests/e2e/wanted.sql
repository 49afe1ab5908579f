-- What Replenit must hold of the shop: one line of JSON for each document. Parts come from their own tables.
-- What it may hold as well as not is marked as optional.

SELECT json_build_object('entity', 'customers', 'id', customer_id, 'document', json_build_object(
    'CustomerId', customer_id,
    'Email', email,
    'Name', name,
    'Surname', surname,
    'Phone', phone,
    'Language', language,
    'Username', username,
    'EmailOptin', email_optin,
    'SmsOptin', sms_optin,
    'GdprOptin', gdpr_optin,
    'IsExcluded', coalesce(is_excluded, false)
))
FROM shop.customers
WHERE gdpr_optin

UNION ALL

-- Without consent there may be nothing but that. It must be told where the consent may have been told before: where the
-- row was there from the start, and an update left it so.
SELECT json_build_object(
    'entity', 'customers',
    'id', customer_id,
    'document', json_build_object('CustomerId', customer_id, 'GdprOptin', false),
    'optional', NOT refused OR arrived > (SELECT at FROM shop.opening)
)
FROM shop.customers
WHERE gdpr_optin IS NOT TRUE

UNION ALL

SELECT json_build_object('entity', 'orders', 'id', order_id, 'document', json_build_object(
    'OrderId', order_id,
    'CustomerId', customer_id,
    'Email', email,
    'OrderDate', to_char(order_date AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'TotalRevenue', total_revenue,
    'Currency', currency,
    'TotalQuantity', total_quantity,
    'UniqueQuantity', unique_quantity,
    'IsOrderCancelled', coalesce(is_order_cancelled, false),
    'OrderItems', (
        SELECT json_agg(json_build_object(
            'ProductId', product_id,
            'Sku', sku,
            'Quantity', quantity,
            'Price', price,
            'OriginalPrice', original_price,
            'Size', size,
            'Color', color,
            'IsGift', coalesce(is_gift, false)
        ))
        FROM shop.order_items AS item WHERE item.order_id = orders.order_id
    )
))
FROM shop.orders
WHERE EXISTS (SELECT FROM shop.order_items AS item WHERE item.order_id = orders.order_id)

UNION ALL

SELECT json_build_object('entity', 'products', 'id', product_id, 'document', json_build_object(
    'ProductId', product_id,
    'ProductName', product_name,
    'Taxonomy', taxonomy,
    'IsOfflineExclusive', coalesce(is_offline_exclusive, false),
    'ProductVariants', (
        SELECT json_agg(json_build_object(
            'VariantId', variant_id,
            'Sku', sku,
            'Name', name,
            'Image', image,
            'Size', size,
            'Stock', stock,
            'OriginalPrice', original_price,
            'SalePrice', sale_price,
            'Currency', currency,
            'IsAvailable', is_available
        ))
        FROM shop.product_variants AS variant WHERE variant.product_id = products.product_id
    )
))
FROM shop.products
WHERE EXISTS (SELECT FROM shop.product_variants AS variant WHERE variant.product_id = products.product_id)

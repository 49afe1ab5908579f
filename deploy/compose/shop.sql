-- A small shop, whose columns are named as the API's fields, and `trade()`, which lets one thing happen in it.

CREATE TABLE customers (
    customer_id text PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    language text,
    gdpr_optin boolean NOT NULL
);

CREATE TABLE products (
    product_id text PRIMARY KEY,
    product_name text NOT NULL,
    product_variants jsonb NOT NULL
);

CREATE TABLE orders (
    order_id text PRIMARY KEY,
    customer_id text NOT NULL,
    order_date timestamptz NOT NULL DEFAULT now(),
    total_revenue numeric(12, 2) NOT NULL,
    currency text NOT NULL DEFAULT 'EUR',
    is_order_cancelled boolean NOT NULL DEFAULT false,
    order_items jsonb NOT NULL
);

-- So that a changed row tells what it was: items and variants that it lost are deleted at Replenit too.
ALTER TABLE orders REPLICA IDENTITY FULL;
ALTER TABLE products REPLICA IDENTITY FULL;

CREATE SEQUENCE numbers;

CREATE FUNCTION any_of(number bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 1 + floor(random() * number)::bigint $$;

CREATE FUNCTION variants(product text, price numeric) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object(
        'variant_id', product || '-' || size,
        'sku', product || '-' || size,
        'size', size,
        'stock', any_of(50),
        'sale_price', price,
        'currency', 'EUR'
    ))
    FROM unnest(ARRAY['S', 'M', 'L']) AS size
$$;

CREATE FUNCTION items() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object(
        'product_id', product_id,
        'sku', product_id || '-M',
        'quantity', any_of(3),
        'price', product_variants -> 0 -> 'sale_price'
    ))
    FROM (SELECT * FROM products ORDER BY random() LIMIT any_of(3)) AS bought
$$;

CREATE FUNCTION total(items jsonb) RETURNS numeric LANGUAGE sql AS $$
    SELECT sum((item ->> 'quantity')::numeric * (item ->> 'price')::numeric) FROM jsonb_array_elements(items) AS item
$$;

CREATE FUNCTION register() RETURNS void LANGUAGE sql AS $$
    INSERT INTO customers
    SELECT 'C-' || number, 'c' || number || '@example.com', 'Customer ' || number, 'en', random() < 0.8
    FROM nextval('numbers') AS number
$$;

CREATE FUNCTION buy() RETURNS void LANGUAGE sql AS $$
    INSERT INTO orders (order_id, customer_id, total_revenue, order_items)
    SELECT 'O-' || nextval('numbers'), customer_id, total(bought), bought
    FROM (SELECT customer_id FROM customers ORDER BY random() LIMIT 1) AS customer, items() AS bought
$$;

CREATE FUNCTION trade() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one_order text := (SELECT order_id FROM orders ORDER BY random() LIMIT 1);
    one_product text := (SELECT product_id FROM products ORDER BY random() LIMIT 1);
    one_customer text := (SELECT customer_id FROM customers ORDER BY random() LIMIT 1);
BEGIN
    CASE any_of(10)
        WHEN 1 THEN
            PERFORM register();
        WHEN 2 THEN
            UPDATE customers SET language = (ARRAY['de', 'en', 'tr'])[any_of(3)] WHERE customer_id = one_customer;
        WHEN 3 THEN
            UPDATE customers SET gdpr_optin = random() < 0.8 WHERE customer_id = one_customer;
        WHEN 4 THEN
            UPDATE orders SET is_order_cancelled = true WHERE order_id = one_order;
        WHEN 5 THEN
            DELETE FROM orders WHERE order_id = one_order;
        WHEN 6, 7 THEN
            UPDATE products SET product_variants = variants(product_id, any_of(9000) / 100.0)
            WHERE product_id = one_product;
        ELSE
            PERFORM buy();
    END CASE;
END
$$;

INSERT INTO products
SELECT 'P-' || number, 'Product ' || number, variants('P-' || number, any_of(9000) / 100.0)
FROM generate_series(1, 50) AS number;
SELECT count(register()) FROM generate_series(1, 200);
SELECT count(buy()) FROM generate_series(1, 100);

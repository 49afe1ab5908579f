-- Invented sample rows. Currency EUR, prices without tax, timezone irrelevant (all order times are *_gmt).
SET SESSION sql_mode='';
INSERT INTO wp_options (option_name,option_value) VALUES ('siteurl','https://shop.example.com/'),('woocommerce_currency','EUR'),('woocommerce_prices_include_tax','no');
INSERT INTO wp_users (ID,user_login,user_email,user_registered,display_name) VALUES (1,'admin','admin@example.com','2024-12-01 00:00:00','admin'),(7,'ada','ada.byrne@example.com','2025-01-10 08:15:00','Ada'),(8,'jgroesse','juergen.groesse@example.com','2025-02-11 17:40:12','Jürgen'),(9,'meitan','mei.tan@example.com','2025-03-30 01:30:00','Mei'),(10,'kai','kai@example.com','2025-04-01 08:00:00','Kai');
INSERT INTO wp_usermeta (user_id,meta_key,meta_value) VALUES
 (1,'wp_capabilities','a:1:{s:13:"administrator";b:1;}'),(7,'wp_capabilities','a:1:{s:8:"customer";b:1;}'),(8,'wp_capabilities','a:1:{s:8:"customer";b:1;}'),(9,'wp_capabilities','a:1:{s:8:"customer";b:1;}'),(10,'wp_capabilities','a:1:{s:8:"customer";b:1;}'),(10,'first_name','Kai'),(10,'billing_phone','+49 (151) 555-0110'),(10,'locale','de_DE_formal'),(10,'newsletter_consent','yes'),
 (7,'first_name','Ada'),(7,'last_name','Byrne'),(7,'billing_phone','+14155550101'),(7,'locale','en_US'),(7,'newsletter_consent','yes'),
 (8,'first_name','Jürgen'),(8,'last_name','Größe'),(8,'billing_phone','0151 5550102'),(8,'newsletter_consent','no'),(9,'first_name','Mei'),(9,'last_name','');
INSERT INTO wp_wc_customer_lookup (customer_id,user_id,username,first_name,last_name,email,date_last_active,date_registered,country) VALUES
 (301,7,'ada','Ada','Byrne','ada.byrne@example.com','2025-03-03 09:20:30','2025-01-10 08:15:00','IE'),(302,8,'jgroesse','Jürgen','Größe','juergen.groesse@example.com',NULL,'2025-02-11 17:40:12','DE'),
 (303,9,'meitan','Mei','','mei.tan@example.com',NULL,'2025-03-30 01:30:00',''),(304,NULL,'','Gast','Kunde','gast@example.com','2025-07-15 21:59:59',NULL,'DE');
INSERT INTO wp_terms (term_id,name,slug) VALUES (2,'simple','simple'),(4,'variable','variable'),(3,'grouped','grouped'),(10,'Apparel','apparel'),(11,'Women &amp; girls','women'),(12,'Tops','tops'),(13,'Sale','sale'),(20,'Large','l'),(21,'Small','s'),(30,'Acme Active','acme-active');
INSERT INTO wp_term_taxonomy (term_taxonomy_id,term_id,taxonomy,description,parent,count) VALUES (2,2,'product_type','',0,1),(4,4,'product_type','',0,1),(3,3,'product_type','',0,0),(10,10,'product_cat','',0,1),(11,11,'product_cat','',10,1),(12,12,'product_cat','',11,1),(13,13,'product_cat','',0,1),(20,20,'pa_size','',0,1),(21,21,'pa_size','',0,1),(30,30,'product_brand','',0,1);
INSERT INTO wp_posts (ID,post_date,post_date_gmt,post_content,post_title,post_excerpt,post_status,post_name,post_parent,menu_order,post_type,post_mime_type) VALUES
 (500,'2025-01-01 09:00:00','2025-01-01 08:00:00','','Training Tank Top','','publish','tank-top',0,0,'product',''),
 (501,'2025-01-01 09:00:00','2025-01-01 08:00:00','','Training Tank Top - Small','Size: Small','publish','tank-top-s',500,1,'product_variation',''),
 (502,'2025-01-01 09:00:00','2025-01-01 08:00:00','','Training Tank Top - Large','Size: Large','publish','tank-top-l',500,2,'product_variation',''),
 (503,'2025-01-01 09:00:00','2025-01-01 08:00:00','','Training Tank Top - XL','Size: XL','private','tank-top-xl',500,3,'product_variation',''),
 (510,'2025-01-02 09:00:00','2025-01-02 08:00:00','','Mug "Hello"','','publish','mug',0,0,'product',''),
 (520,'2025-01-03 09:00:00','2025-01-03 08:00:00','','Not yet published','','draft','draft',0,0,'product',''),
 (530,'2025-01-04 09:00:00','2025-01-04 08:00:00','','Variable without variations','','publish','empty',0,0,'product',''),
 (600,'2025-01-01 09:00:00','2025-01-01 08:00:00','','tank','','inherit','tank',500,0,'attachment','image/jpeg'),(601,'2025-01-01 09:00:00','2025-01-01 08:00:00','','tank-l','','inherit','tank-l',0,0,'attachment','image/jpeg');
INSERT INTO wp_term_relationships VALUES (500,4,0),(500,10,0),(500,12,0),(500,13,0),(500,30,0),(510,2,0),(510,13,0),(530,4,0);
INSERT INTO wp_postmeta (post_id,meta_key,meta_value) VALUES (600,'_wp_attached_file','2025/01/tank.jpg'),(601,'_wp_attached_file','2025/01/tank-l.jpg'),
 (500,'_thumbnail_id','600'),(502,'_thumbnail_id','601'),(500,'_sku','TANK'),(501,'_sku','TANK-S'),(501,'_regular_price','34.99'),(501,'_sale_price','27.99'),(501,'_price','27.99'),(501,'attribute_pa_size','s'),
 (502,'_sku',''),(502,'_regular_price','34.99'),(502,'_sale_price',''),(502,'_price','34.99'),(502,'attribute_pa_size','l'),(503,'_regular_price','34.99'),(503,'attribute_size','XL'),(510,'_regular_price','11.9'),(510,'_price','11.9'),(510,'_sku','MUG-01');
INSERT INTO wp_wc_product_meta_lookup (product_id,sku,min_price,max_price,onsale,stock_quantity,stock_status) VALUES (500,'TANK',27.9900,34.9900,1,40,'instock'),(501,'TANK-S',27.9900,27.9900,1,84,'instock'),(502,'',34.9900,34.9900,0,NULL,'instock'),(503,'',34.9900,34.9900,0,NULL,'instock'),(510,'MUG-01',11.9000,11.9000,0,0,'outofstock'),(520,'',NULL,NULL,0,NULL,'instock'),(530,'',NULL,NULL,0,NULL,'instock');
INSERT INTO wp_wc_orders (id,status,currency,type,tax_amount,total_amount,customer_id,billing_email,date_created_gmt,date_updated_gmt,parent_order_id,payment_method,payment_method_title) VALUES
 (700,'wc-completed','EUR','shop_order',11.17000000,69.97000000,7,'ada.byrne@example.com','2025-03-03 09:20:30','2025-03-05 10:00:00',0,'stripe','Card'),
 (701,'wc-cancelled','USD','shop_order',0.00000000,11.90000000,0,'gast@example.com','2025-07-15 21:59:59','2025-07-16 06:00:00',0,'cod','Cash'),
 (702,'wc-checkout-draft','EUR','shop_order',0.00000000,34.99000000,8,'juergen.groesse@example.com','2025-08-01 10:00:00','2025-08-01 10:00:00',0,'',''),
 (703,NULL,'EUR','shop_order_refund',0.00000000,-27.99000000,NULL,NULL,'2025-03-10 09:00:00','2025-03-10 09:00:00',700,NULL,NULL);
UPDATE wp_wc_orders SET status='wc-completed' WHERE id=703;
INSERT INTO wp_wc_order_addresses (order_id,address_type,first_name,last_name,country,email,phone) VALUES (700,'billing','Ada','Byrne','IE','ada.byrne@example.com','+14155550101'),(700,'shipping','Ada','Byrne','IE',NULL,NULL),(701,'billing','Gast','Kunde','DE','gast@example.com','');
INSERT INTO wp_wc_order_operational_data (order_id,created_via,woocommerce_version,prices_include_tax,order_key,date_paid_gmt,shipping_total_amount,discount_total_amount,recorded_sales) VALUES (700,'checkout','9.8.1',0,'wc_order_a','2025-03-03 09:21:00',0.00000000,2.80000000,1),(701,'checkout','9.8.1',0,'wc_order_b',NULL,0.00000000,0.00000000,0),(702,'store-api','9.8.1',0,'wc_order_c',NULL,0.00000000,0.00000000,0);
INSERT INTO wp_woocommerce_order_items (order_item_id,order_item_name,order_item_type,order_id) VALUES (801,'Training Tank Top - Small','line_item',700),(802,'Mug "Hello"','line_item',700),(803,'Flat rate','shipping',700),(804,'Mug "Hello"','line_item',701),(805,'Training Tank Top - Large','line_item',702);
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id,meta_key,meta_value) VALUES
 (801,'_product_id','500'),(801,'_variation_id','501'),(801,'_qty','2'),(801,'_line_subtotal','55.98'),(801,'_line_subtotal_tax','11.196'),(801,'_line_total','53.181'),(801,'_line_tax','10.6362'),
 (802,'_product_id','510'),(802,'_variation_id','0'),(802,'_qty','1'),(802,'_line_subtotal','11.9'),(802,'_line_subtotal_tax','0'),(802,'_line_total','11.9'),(802,'_line_tax','0'),(803,'cost','0'),
 (804,'_product_id','510'),(804,'_variation_id','0'),(804,'_qty','1'),(804,'_line_subtotal','11.9'),(804,'_line_total','11.9'),(804,'_line_subtotal_tax','0'),(804,'_line_tax','0'),
 (805,'_product_id','500'),(805,'_variation_id','502'),(805,'_qty','1'),(805,'_line_subtotal','34.99'),(805,'_line_total','34.99'),(805,'_line_subtotal_tax','0'),(805,'_line_tax','0');
INSERT INTO wp_wc_order_product_lookup (order_item_id,order_id,product_id,variation_id,customer_id,date_created,product_qty,product_net_revenue,product_gross_revenue,coupon_amount,tax_amount) VALUES (801,700,500,501,301,'2025-03-03 10:20:30',2,53.181,63.8172,2.799,10.6362),(802,700,510,0,301,'2025-03-03 10:20:30',1,11.9,11.9,0,0);
-- changes after the snapshot (they become u, c and d events); the outbox procedures are called in between, as the events would
-- @@CHANGES
CALL replenit_refresh_products(); CALL replenit_refresh_order_items(NULL); CALL replenit_refresh_customers();
UPDATE wp_postmeta SET meta_value='25.00' WHERE post_id=501 AND meta_key IN ('_sale_price','_price'); UPDATE wp_wc_product_meta_lookup SET min_price=25.0000, max_price=25.0000 WHERE product_id=501;
CALL replenit_refresh_products();
INSERT INTO wp_posts (ID,post_content,post_title,post_excerpt,post_status,post_name,post_type) VALUES (540,'','Filter papers','','publish','filter','product');
INSERT INTO wp_postmeta (post_id,meta_key,meta_value) VALUES (540,'_regular_price','3.99'),(540,'_sku','FILTER-100');
INSERT INTO wp_wc_product_meta_lookup (product_id,sku,min_price,max_price,stock_quantity) VALUES (540,'FILTER-100',3.9900,3.9900,250);
CALL replenit_refresh_products();
UPDATE wp_posts SET post_status='trash' WHERE ID=510;
CALL replenit_refresh_products();
UPDATE wp_wc_orders SET status='wc-processing', date_updated_gmt='2025-08-01 10:05:00' WHERE id=702;
UPDATE wp_woocommerce_order_itemmeta SET meta_value='3' WHERE order_item_id=805 AND meta_key='_qty'; UPDATE wp_woocommerce_order_itemmeta SET meta_value='104.97' WHERE order_item_id=805 AND meta_key IN ('_line_total','_line_subtotal');
CALL replenit_refresh_order_items('2025-08-01 00:00:00');
UPDATE wp_wc_orders SET status='wc-refunded', date_updated_gmt='2025-08-20 10:00:00' WHERE id=700;
DELETE FROM wp_woocommerce_order_items WHERE order_item_id=802; DELETE FROM wp_woocommerce_order_itemmeta WHERE order_item_id=802;
CALL replenit_refresh_order_items('2025-08-01 00:00:00');
UPDATE wp_usermeta SET meta_value='no' WHERE user_id=7 AND meta_key='newsletter_consent'; DELETE FROM wp_users WHERE ID=9; DELETE FROM wp_usermeta WHERE user_id=9; DELETE FROM wp_wc_customer_lookup WHERE user_id=9;
CALL replenit_refresh_customers();
UPDATE wp_wc_product_meta_lookup SET stock_quantity=7 WHERE product_id=540;
CALL replenit_refresh_products();
INSERT INTO wp_usermeta (user_id,meta_key,meta_value) VALUES (10,'last_name','Berg');
CALL replenit_refresh_customers();
UPDATE wp_wc_orders SET status='trash' WHERE id=701;
DELETE FROM wp_posts WHERE ID=503; DELETE FROM wp_postmeta WHERE post_id=503; DELETE FROM wp_wc_product_meta_lookup WHERE product_id=503;
CALL replenit_refresh_products();

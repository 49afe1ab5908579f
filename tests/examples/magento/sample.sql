-- Invented sample rows. Website 1, store 1 (English store view; store 0 = default values), store 2 (German). Currency EUR. TIMESTAMPs are UTC.
SET SESSION time_zone='+00:00';
INSERT INTO `eav_entity_type` VALUES (1,'customer'),(3,'catalog_category'),(4,'catalog_product');
INSERT INTO `eav_attribute` (`attribute_id`,`entity_type_id`,`attribute_code`,`backend_type`,`frontend_input`,`is_user_defined`) VALUES
 (45,3,'name','varchar','text',0),(73,4,'name','varchar','text',0),(77,4,'price','decimal','price',0),(78,4,'special_price','decimal','price',0),(79,4,'special_from_date','datetime','date',0),(80,4,'special_to_date','datetime','date',0),(83,4,'manufacturer','int','select',1),(87,4,'image','varchar','media_image',0),(97,4,'status','int','select',0),(99,4,'visibility','int','select',0),(141,4,'size','int','select',1);
INSERT INTO `eav_attribute_option_value` (`option_id`,`store_id`,`value`) VALUES (5,0,'S'),(6,0,'L'),(6,2,'Groß'),(7,0,'XL'),(40,0,'Acme Active');
INSERT INTO `catalog_category_entity` (`entity_id`,`attribute_set_id`,`parent_id`,`path`,`position`,`level`,`children_count`) VALUES (1,3,0,'1',0,0,4),(2,3,1,'1/2',1,1,3),(20,3,2,'1/2/20',1,2,1),(21,3,20,'1/2/20/21',1,3,0),(30,3,2,'1/2/30',2,2,0);
INSERT INTO `catalog_category_entity_varchar` (`attribute_id`,`store_id`,`entity_id`,`value`) VALUES (45,0,1,'Root Catalog'),(45,0,2,'Default Category'),(45,0,20,'Women'),(45,1,20,'Ladies'),(45,0,21,'Tops & Tees'),(45,0,30,'Gifts');
INSERT INTO `catalog_product_entity` (`entity_id`,`attribute_set_id`,`type_id`,`sku`,`has_options`,`created_at`,`updated_at`) VALUES
 (1001,9,'configurable','TANK',1,'2025-01-01 08:00:00','2025-01-01 08:00:00'),(1002,9,'simple','TANK-S',0,'2025-01-01 08:00:00','2025-01-01 08:00:00'),(1003,9,'simple','TANK-L',0,'2025-01-01 08:00:00','2025-01-01 08:00:00'),(1004,9,'simple','TANK-XL',0,'2025-01-01 08:00:00','2025-01-01 08:00:00'),
 (1010,9,'simple','MUG-01',0,'2025-01-02 08:00:00','2025-01-02 08:00:00'),(1020,9,'simple','HIDDEN',0,'2025-01-03 08:00:00','2025-01-03 08:00:00'),(1030,9,'grouped','SET',0,'2025-01-03 08:00:00','2025-01-03 08:00:00');
INSERT INTO `catalog_product_website` VALUES (1001,1),(1002,1),(1003,1),(1004,1),(1010,1),(1020,1),(1030,1);
INSERT INTO `catalog_product_super_link` (`link_id`,`product_id`,`parent_id`) VALUES (1,1002,1001),(2,1003,1001),(3,1004,1001);
INSERT INTO `catalog_product_entity_varchar` (`attribute_id`,`store_id`,`entity_id`,`value`) VALUES (73,0,1001,'Training Tank Top'),(73,1,1001,'Women\'s Training Tank Top'),(73,2,1001,'Trainingsshirt'),(73,0,1002,'Training Tank Top S'),(73,0,1003,'Training Tank Top L'),(73,0,1004,'Training Tank Top XL'),(73,0,1010,'Mug "Hello"'),(73,0,1020,'Hidden part'),(73,0,1030,'Set'),
 (87,0,1001,'/t/a/tank.jpg'),(87,0,1002,'no_selection'),(87,0,1003,'/t/a/tank-l.jpg'),(87,0,1010,'no_selection');
INSERT INTO `catalog_product_entity_int` (`attribute_id`,`store_id`,`entity_id`,`value`) VALUES (97,0,1001,1),(97,0,1002,1),(97,0,1003,1),(97,1,1003,2),(97,0,1004,1),(97,0,1010,1),(97,0,1020,1),(97,0,1030,1),(99,0,1001,4),(99,0,1002,1),(99,0,1003,1),(99,0,1004,1),(99,0,1010,4),(99,0,1020,1),(99,0,1030,4),(141,0,1002,5),(141,0,1003,6),(141,0,1004,7),(83,0,1001,40);
INSERT INTO `catalog_product_entity_decimal` (`attribute_id`,`store_id`,`entity_id`,`value`) VALUES (77,0,1002,34.990000),(78,0,1002,27.990000),(77,0,1003,34.990000),(77,0,1004,36.990000),(78,0,1004,30.000000),(77,0,1010,11.900000),(78,0,1010,9.900000),(78,1,1010,NULL),(77,0,1020,1.000000);
INSERT INTO `catalog_product_entity_datetime` (`attribute_id`,`store_id`,`entity_id`,`value`) VALUES (79,0,1002,'2025-01-01 00:00:00'),(80,0,1004,'2025-02-01 00:00:00');
INSERT INTO `catalog_category_product` (`category_id`,`product_id`,`position`) VALUES (2,1001,0),(20,1001,0),(21,1001,0),(30,1001,0),(30,1010,0);
INSERT INTO `cataloginventory_stock_item` (`product_id`,`stock_id`,`qty`,`is_in_stock`,`manage_stock`,`use_config_manage_stock`) VALUES (1001,1,0.0000,1,1,1),(1002,1,84.0000,1,1,1),(1003,1,3.0000,1,1,1),(1004,1,0.0000,0,0,0),(1010,1,0.0000,0,1,1),(1020,1,5.0000,1,1,1);
INSERT INTO `customer_entity` (`entity_id`,`website_id`,`email`,`group_id`,`store_id`,`created_at`,`updated_at`,`is_active`,`created_in`,`firstname`,`lastname`,`default_billing`) VALUES
 (1,1,'ada.byrne@example.com',1,1,'2025-01-10 08:15:00','2025-03-01 09:00:00',1,'English','Ada','Byrne',11),(2,1,'juergen.groesse@example.com',1,2,'2025-02-11 17:40:12','2025-02-11 17:40:12',1,'German','Jürgen','Größe',12),(3,1,'mei.tan@example.com',1,1,'2025-03-30 01:30:00','2025-03-30 01:30:00',1,'English','Mei','Tan',NULL),(4,1,'kai@example.com',1,3,'2025-04-01 08:00:00','2025-04-01 08:00:00',1,'French','Kai','Berg',NULL),(5,1,'old@example.com',1,1,'2025-04-02 08:00:00','2025-04-02 08:00:00',1,'English','Old','Account',NULL);
INSERT INTO `customer_address_entity` (`entity_id`,`parent_id`,`city`,`country_id`,`firstname`,`lastname`,`street`,`telephone`) VALUES (11,1,'Cork','IE','Ada','Byrne','1 Quay','+14155550101'),(12,2,'Köln','DE','Jürgen','Größe','Ring 1','0151 5550102');
INSERT INTO `newsletter_subscriber` (`subscriber_id`,`store_id`,`change_status_at`,`customer_id`,`subscriber_email`,`subscriber_status`,`subscriber_confirm_code`) VALUES (21,1,'2025-01-10 08:16:00',1,'ada.byrne@example.com',1,'abc'),(22,2,'2025-02-11 17:41:00',2,'juergen.groesse@example.com',3,'def'),(23,1,'2025-07-15 21:00:00',0,'gast@example.com',1,'ghi'),(24,1,'2025-04-01 08:01:00',4,'kai@example.com',1,'jkl'),(25,1,'2025-04-02 08:01:00',5,'old@example.com',1,'mno');
INSERT INTO `sales_order` (`entity_id`,`state`,`status`,`store_id`,`customer_id`,`base_grand_total`,`base_to_order_rate`,`discount_amount`,`grand_total`,`shipping_amount`,`subtotal`,`tax_amount`,`total_paid`,`total_qty_ordered`,`customer_is_guest`,`quote_id`,`increment_id`,`base_currency_code`,`customer_email`,`customer_firstname`,`customer_lastname`,`order_currency_code`,`store_name`,`created_at`,`updated_at`,`total_item_count`) VALUES
 (5001,'complete','complete',1,1,81.4560,1.0000,0.0000,81.4560,0.0000,67.8800,13.5760,81.4560,3.0000,0,901,'000000101','EUR','ada.byrne@example.com','Ada','Byrne','EUR','Main','2025-03-03 09:20:30','2025-03-05 10:00:00',2),
 (5002,'canceled','canceled',1,NULL,11.9000,1.0800,0.0000,12.8520,0.0000,12.8520,0.0000,NULL,1.0000,1,902,'000000102','EUR','gast@example.com','Gast','Kunde','USD','Main','2025-07-15 21:59:59','2025-07-16 06:00:00',1),
 (5003,'new','pending',2,2,69.9800,1.0000,0.0000,69.9800,0.0000,69.9800,0.0000,NULL,2.0000,0,903,'2000000001','EUR','juergen.groesse@example.com','Jürgen','Größe','EUR','German','2025-10-26 00:30:00','2025-10-26 00:30:00',1);
INSERT INTO `sales_order_item` (`item_id`,`order_id`,`parent_item_id`,`store_id`,`created_at`,`updated_at`,`product_id`,`product_type`,`product_options`,`sku`,`name`,`qty_ordered`,`price`,`base_price`,`original_price`,`tax_percent`,`tax_amount`,`row_total`,`price_incl_tax`,`row_total_incl_tax`) VALUES
 (9001,5001,NULL,1,'2025-03-03 09:20:30','2025-03-05 10:00:00',1001,'configurable','{"simple_sku":"TANK-S","attributes_info":[{"label":"Size","value":"S"}]}','TANK-S','Women\'s Training Tank Top',2.0000,27.9900,27.9900,34.9900,20.0000,11.1960,55.9800,33.5880,67.1760),
 (9002,5001,9001,1,'2025-03-03 09:20:30','2025-03-05 10:00:00',1002,'simple','{}','TANK-S','Training Tank Top S',2.0000,0.0000,0.0000,NULL,0.0000,0.0000,0.0000,NULL,NULL),
 (9003,5001,NULL,1,'2025-03-03 09:20:30','2025-03-05 10:00:00',1010,'simple','{}','MUG-01','Mug "Hello"',1.0000,11.9000,11.9000,11.9000,20.0000,2.3800,11.9000,14.2800,14.2800),
 (9004,5002,NULL,1,'2025-07-15 21:59:59','2025-07-16 06:00:00',1010,'simple','{}','MUG-01','Mug "Hello"',1.0000,12.8520,11.9000,12.8520,0.0000,0.0000,12.8520,12.8520,12.8520),
 (9005,5003,NULL,2,'2025-10-26 00:30:00','2025-10-26 00:30:00',1001,'configurable','{}','TANK-L','Trainingsshirt',2.0000,34.9900,34.9900,34.9900,0.0000,0.0000,69.9800,34.9900,69.9800),
 (9006,5003,9005,2,'2025-10-26 00:30:00','2025-10-26 00:30:00',1003,'simple','{}','TANK-L','Training Tank Top L',2.0000,0.0000,0.0000,NULL,0.0000,0.0000,0.0000,NULL,NULL);
-- changes after the snapshot (they become u, c and d events); the outbox procedure is called in between, as the event would
-- @@CHANGES
CALL replenit_refresh_products();
UPDATE catalog_product_entity_decimal SET value=29.990000 WHERE entity_id=1002 AND attribute_id=78 AND store_id=0;
CALL replenit_refresh_products();
DELETE FROM catalog_product_entity_varchar WHERE attribute_id=73 AND store_id=1 AND entity_id=1001; -- "use default value" in the store view
CALL replenit_refresh_products();
UPDATE cataloginventory_stock_item SET qty=82.0000 WHERE product_id=1002;
INSERT INTO catalog_product_entity (entity_id,attribute_set_id,type_id,sku,created_at,updated_at) VALUES (1040,9,'simple','FILTER-100','2025-08-01 00:00:00','2025-08-01 00:00:00'); INSERT INTO catalog_product_website VALUES (1040,1);
INSERT INTO catalog_product_entity_varchar (attribute_id,store_id,entity_id,value) VALUES (73,0,1040,'Filter papers'); INSERT INTO catalog_product_entity_int (attribute_id,store_id,entity_id,value) VALUES (97,0,1040,1),(99,0,1040,4); INSERT INTO catalog_product_entity_decimal (attribute_id,store_id,entity_id,value) VALUES (77,0,1040,3.990000);
CALL replenit_refresh_products();
DELETE FROM catalog_product_website WHERE product_id=1010;
CALL replenit_refresh_products();
UPDATE sales_order SET state='processing', status='processing', updated_at='2025-10-27 08:00:00' WHERE entity_id=5003;
UPDATE sales_order SET state='closed', status='closed', total_refunded=81.4560, updated_at='2025-11-01 08:00:00' WHERE entity_id=5001;
UPDATE newsletter_subscriber SET subscriber_status=3, change_status_at='2025-11-02 08:00:00' WHERE subscriber_id=21;
DELETE FROM customer_entity WHERE entity_id=2; -- addresses go by cascade (silently), orders keep customer_id by SET NULL (silently): neither is in the binary log
UPDATE customer_entity SET firstname='Kay' WHERE entity_id=4;
INSERT INTO newsletter_subscriber (store_id, change_status_at, customer_id, subscriber_email, subscriber_status) VALUES (1,'2025-11-03 08:00:00',3,'mei.tan@example.com',1);
DELETE FROM customer_entity WHERE entity_id=5;
UPDATE cataloginventory_stock_item SET qty=81.0000 WHERE product_id=1002;
DELETE FROM sales_order WHERE entity_id=5002; -- its item goes by cascade, silently
CALL replenit_refresh_products();
DELETE FROM catalog_product_super_link WHERE product_id=1004;
CALL replenit_refresh_products();
